//! Checks the laws on the inputs that fuzzing found worth keeping.

use std::{fs, path::Path};

use proof::oracles::ALL;

#[test]
fn every_oracle_holds_of_its_corpus() {
    for (target, oracle) in ALL {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
        let inputs: Vec<Vec<u8>> =
            fs::read_dir(folder).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect();
        assert!(!inputs.is_empty(), "{target}");
        for input in &inputs {
            oracle(input);
        }
    }
}
