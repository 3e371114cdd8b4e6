//! A collector and its agents, ready to be used and to be broken; comes with the programs themselves.
