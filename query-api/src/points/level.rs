//! What a buyer has earned, as a level.

/// How many points of experience each level takes.
const POINTS_A_LEVEL: i64 = 100;

/// The level of somebody with so much experience; the first is 1.
pub(super) fn of(experience: i64) -> i64 {
    experience.max(0) / POINTS_A_LEVEL + 1
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_hundred_points_are_a_level() {
        for (experience, level) in [(-10, 1), (0, 1), (90, 1), (100, 2), (190, 2), (200, 3), (i64::MAX, i64::MAX / 100 + 1)] {
            assert_eq!(super::of(experience), level, "{experience}");
        }
    }
}
