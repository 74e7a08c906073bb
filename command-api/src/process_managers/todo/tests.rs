use database::testing::TestDatabase;

use super::*;
