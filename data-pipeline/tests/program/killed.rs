//! Runs that are killed at random instants.

use std::time::{Duration, Instant};

use data_pipeline::summary::Report;

use crate::Place;

const KILLS: usize = 50;

#[test]
fn after_a_kill_at_any_instant_the_next_run_works_and_leaves_nothing_behind() {
    let seed = std::env::var("SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let place = Place::new();
    let source = place.write(
        "a.csv",
        format!("id,n\n{}1,2\n", (1..3000).map(|n| format!("{n},x{n}\n")).collect::<String>()),
    );
    let arguments = ["--data-sources", source.as_str()];
    let start = Instant::now();
    place.succeed(&arguments);
    let whole = start.elapsed();
    let mut killed = 0;
    for _ in 0..KILLS {
        let before = place.reports().len();
        let mut child = place.command(&arguments).spawn().unwrap();
        // Which instant it is does not matter: any one must do.
        std::thread::sleep(Duration::from_secs_f64(whole.as_secs_f64() * random.f64()));
        child.kill().unwrap();
        killed += usize::from(!child.wait().unwrap().success());
        let after = place.reports().len();
        assert!(after <= before + 1);
        let ended = place.succeed(&arguments);
        assert!(ended.stdout.ends_with("Pipeline completed successfully!\n"), "{ended:?}");
        place.assert_clean();
        assert_eq!(place.reports().len(), after + 1);
        for path in place.reports() {
            let report: Report = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
            assert_eq!((report.records.valid, report.records.rejected), (2999, 1));
        }
    }
    println!("{killed} of {KILLS} died; a whole run takes {whole:?}");
    assert!(killed > 0);
}
