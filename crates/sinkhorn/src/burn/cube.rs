//! A whole solve in one kernel on CubeCL's backends.
