//! The commands that the documentation gives.

use std::path::Path;

/// The lines of a document's `sh` blocks, in their order; `path` counts from the root of the checkout.
pub fn documented_commands(path: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    let text = std::fs::read_to_string(path).unwrap();
    let blocks = text.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap());
    blocks.flat_map(str::lines).map(str::to_owned).collect()
}
