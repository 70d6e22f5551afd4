//! What `reslab bench` prints, and that its numbers fit together.

use crate::support::Lab;

#[test]
fn bench_prints_one_json_object() {
    let lab = Lab::new();
    for what in ["train", "eval"] {
        let speed = lab
            .reslab(&format!(
                "bench {what} --model resnet8 --width 4 --batch 8 --threads 2 --steps 3 \
                 --input 1,8,8 --json"
            ))
            .succeeds()
            .says_nothing()
            .json();
        assert!(
            speed["images_per_s"]
                .as_f64()
                .is_some_and(|speed| speed > 0.0)
        );
        assert_eq!(speed["threads"], 2);
        if cfg!(target_os = "linux") {
            assert!(speed["peak_rss_mb"].as_f64().is_some_and(|size| size > 1.0));
        }
    }
    lab.reslab("bench train --model resnet21 --steps 1")
        .refuses()
        .says("20 or 26 would do");
}

#[test]
fn bench_times_runs_side_by_side() {
    let lab = Lab::new();
    let speed = lab
        .reslab("bench train --model fc-resnet2 --input 16 --batch 16 --steps 2 --runs 2 --json")
        .succeeds()
        .json();
    let number = |key: &str| speed[key].as_f64().expect("a number");
    assert_eq!(speed["runs"], 2);
    let ratio = number("images_per_s") / number("images_per_s_alone");
    assert!((number("ratio") - ratio).abs() < 1e-9);
    lab.reslab("bench train --runs 2 --threads 2")
        .refuses()
        .says("--threads");
}

#[test]
fn bench_explains_memory() {
    let lab = Lab::new();
    for (flag, of) in [("", "train"), ("--eval", "eval")] {
        let memory = lab
            .reslab(&format!(
                "bench memory --model resnet8 --batch 64 --threads 1 --json {flag}"
            ))
            .succeeds()
            .json();
        let number = |key: &str| memory[key].as_f64().expect("a number");
        assert_eq!(memory["of"], of);
        if cfg!(target_os = "linux") {
            // What was planned was there before, or has come; nothing large is missing.
            let explained = number("before_mb") + number("planned_mb");
            let peak = number("peak_rss_mb");
            assert!((explained - peak).abs() < 0.1 * peak + 4.0, "{memory}");
        }
    }
}

#[test]
fn bench_times_every_kernel() {
    let lab = Lab::new();
    let speeds = lab
        .reslab("bench kernels --model plain8 --width 4 --input 1,8,8 --json")
        .succeeds()
        .json();
    assert!(
        speeds["peak_gflops"]
            .as_f64()
            .is_some_and(|peak| peak > 0.0)
    );
    let convolutions = speeds["convolutions"].as_array().expect("an array");
    // Six shapes and the linear layer; two passes of the first, three of the others; the widest is done
    // by tiles too, forward and to its input.
    assert_eq!(convolutions.len(), 2 + 6 * 3 + 2);
    for speed in convolutions {
        assert!(
            speed["gflops"].as_f64().is_some_and(|rate| rate > 0.0),
            "{speed}"
        );
    }
    lab.reslab("bench kernels --model plain8 --width 4 --input 1,8,8")
        .succeeds()
        .prints("backward-weight");
}
