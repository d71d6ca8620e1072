//! x
mod frames; mod intake; mod limits;
