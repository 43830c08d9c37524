use std::{env, fs, process::Command};

use super::{super::tests::with_kit, *};

fn files_of(name: &str) -> Vec<File> {
    with_kit(name, |kit| kit.files().unwrap())
}

#[test]
fn a_kit_has_what_concerns_the_partner_and_nothing_else() {
    for (name, has, lacks) in [
        ("acme", ["examples/postback-token.py", "examples/webhook.go", "vectors/webhook-signature.json"], "signed"),
        ("initech", ["examples/postback-signed.sh", "vectors/signature.json", "openapi.yaml"], "token"),
    ] {
        let paths: Vec<String> = files_of(name).into_iter().map(|file| file.path).collect();
        assert!(has.iter().all(|path| paths.iter().any(|known| known == path)), "{paths:?}");
        assert!(!paths.iter().any(|path| path.contains(lacks)), "{paths:?}");
        assert_eq!(paths[0], "README.md");
    }
}

#[test]
fn everything_that_the_guide_names_is_in_the_kit() {
    for name in ["acme", "globex", "initech", "umbrella", "hooli", "soylent"] {
        let files = files_of(name);
        let guide = &files[0].text;
        for absent in ["infra/", "shared/", "docs/", "partners.md", "{api}", "{provider}"] {
            assert!(!guide.contains(absent), "{name}: {absent} in {guide}");
        }
        for File { path, .. } in &files[1..] {
            assert!(guide.contains(&format!("- [{path}]({path})\n")), "{name}: {path}");
        }
        for path in guide.split(['`', ' ', '(', ')', '[', ']']).filter(|word| word.starts_with("vectors/")) {
            assert!(files.iter().any(|file| file.path == path), "{name}: {path}");
        }
        assert!(files[1].text.contains("  - url: https://api.example\n"), "{name}");
        assert!(!files[1].text.contains("variables:"), "{name}");
    }
}

#[test]
fn another_program_reads_the_zip_file() {
    let files = files_of("acme");
    let out = env::temp_dir().join(format!("kit-{}.zip", std::process::id()));
    fs::write(&out, archive(&files).unwrap()).unwrap();
    let script = "import sys, zipfile\nkit = zipfile.ZipFile(sys.argv[1])\nassert kit.testzip() is None\n\
                  print(kit.read('README.md').decode(), end='')\nprint(*kit.namelist(), sep='\\n', file=sys.stderr)";
    let read = Command::new("python3").args(["-c", script]).arg(&out).output().unwrap();
    let (text, names) = (String::from_utf8(read.stdout).unwrap(), String::from_utf8(read.stderr).unwrap());
    assert_eq!(text, files[0].text, "{names}");
    assert_eq!(names.lines().collect::<Vec<_>>(), files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>());
}
