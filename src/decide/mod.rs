//! THE CORE: pure decisions. No IO, no clock, no Result, no async.
