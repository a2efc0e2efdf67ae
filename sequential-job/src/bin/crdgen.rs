//! Prints the custom resource definition: `cargo run -p sequential-job --bin crdgen`.

fn main() -> anyhow::Result<()> {
    print!("{}", sequential_job::resource::crd_yaml()?);
    Ok(())
}
