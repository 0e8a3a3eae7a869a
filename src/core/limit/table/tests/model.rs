//! The table beside a map of what each key owes.

use std::collections::HashMap;

use super::*;

proptest! {
    #[test]
    fn a_table_with_room_agrees_with_a_map(
        steps in prop::collection::vec((0_u8..12, 0_u64..400, 0_u8..3, 1_u32..4), 1..300),
    ) {
        let zone = Zone::new(4);
        let table = zone.table();
        let mut model: HashMap<u8, u64> = HashMap::new();
        let mut millis = 0;
        for (who, gap, kind, cost) in steps {
            millis += gap / 8;
            let quota = costing(cost, "q", "10r/s", 3);
            let charge = Charge::new(&quota, Part::Chosen, table.key(&quota, &[&[who]]));
            let tat = model.get(&who).copied().unwrap_or(0).max(millis);
            let after = tat + u64::from(cost) * 100;
            let passes = after <= millis + 400;
            match kind {
                0 => {
                    prop_assert_eq!(table.left(&charge, at(millis)).is_ok(), passes);
                }
                1 => {
                    table.debit(&[charge], at(millis));
                    model.insert(who, tat.max(after.min(millis + 500)));
                }
                _ => {
                    match table.charge(&[charge], at(millis)) {
                        Ok(charged) => {
                            prop_assert!(passes);
                            let left = (400 - (after - millis)) / 100;
                            prop_assert_eq!(charged.remaining().unwrap().units(), left);
                            model.insert(who, after);
                        }
                        Err(limited) => {
                            prop_assert!(!passes);
                            let wait = Duration::from_millis(after - millis - 400);
                            prop_assert_eq!(limited.retry_after(), wait);
                        }
                    }
                }
            }
        }
        prop_assert_eq!(table.uncounted(), 0);
    }

    #[test]
    fn a_crowded_table_never_refuses_whom_a_map_admits(
        steps in prop::collection::vec((0_u8..40, 0_u64..60), 1..400),
    ) {
        let zone = Zone::new(1);
        let table = zone.table();
        let quota = quota("q", "10r/s", 1);
        let mut model: HashMap<u8, u64> = HashMap::new();
        let mut millis = 0;
        for (who, gap) in steps {
            millis += gap / 4;
            let charge = Charge::new(&quota, Part::Chosen, table.key(&quota, &[&[who]]));
            let after = model.get(&who).copied().unwrap_or(0).max(millis) + 100;
            let admitted = table.charge(&[charge], at(millis));
            if after <= millis + 200 {
                prop_assert!(admitted.is_ok());
            }
            // A charge that was not counted is not owed.
            if admitted.is_ok_and(|charged| charged.uncounted() == 0) {
                model.insert(who, after);
            }
        }
    }
}
