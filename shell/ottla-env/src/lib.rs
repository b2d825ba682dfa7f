//! Clock, disk, net, task and random: the real ones, and seeded faulty ones.
