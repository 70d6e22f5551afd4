//! The data sets end to end, on small files made here.
