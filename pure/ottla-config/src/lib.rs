//! Every configuration key, declared once.
