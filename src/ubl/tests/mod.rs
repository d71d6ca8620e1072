//! Do documents as they come in the world give the right reading?

mod samples;
