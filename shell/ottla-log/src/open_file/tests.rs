use proptest::prelude::*;

use super::OpenFile;

#[derive(Debug, Clone)]
enum Step {
    Mark(u64, u64),
    Forget(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u64..64, 0_u64..16).prop_map(|(start, len)| Step::Mark(start, start + len)),
        1 => (0_u64..80).prop_map(Step::Forget),
    ]
}

proptest! {
    /// Goal: a range is called checked only if every byte of it is. Method: beside it a byte map;
    /// with few ranges the two agree, with many only forgetting is allowed.
    #[test]
    fn checked_is_what_was_marked(steps in proptest::collection::vec(step(), 0..60)) {
        let file = OpenFile::new(());
        let mut map = [false; 100];
        for step in &steps {
            match *step {
                Step::Mark(start, end) => {
                    file.mark_checked(start..end);
                    map[start as usize..end as usize].fill(true);
                }
                Step::Forget(from) => {
                    file.forget_from(from);
                    map[from as usize..].fill(false);
                }
            }
            let runs = map.windows(2).filter(|pair| !pair[0] && pair[1]).count();
            for start in 0..90_usize {
                for len in [1, 5, 10] {
                    let all = map[start..start + len].iter().all(|byte| *byte);
                    let range = start as u64..(start + len) as u64;
                    if file.is_checked(&range) {
                        prop_assert!(all, "{range:?} after {steps:?}");
                    } else if runs + 1 < super::RANGES_MAX {
                        prop_assert!(!all, "{range:?} after {steps:?}");
                    }
                }
            }
        }
    }
}

/// Goal: places are found until the file is cut before them, or too many others came.
#[test]
fn places_are_remembered() {
    let file = OpenFile::new(());
    file.mark_place(10, 100);
    file.mark_place(20, 200);
    file.mark_place(10, 150);
    assert_eq!((file.place(10), file.place(20), file.place(30)), (Some(150), Some(200), None));
    file.forget_from(200);
    assert_eq!((file.place(10), file.place(20)), (Some(150), None));
    for other in 0..super::PLACES_MAX as i64 {
        file.mark_place(1000 + other, 1);
    }
    assert_eq!(file.place(10), None);
}
