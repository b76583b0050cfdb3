//! The shell: intake, pipeline, sending, time.
