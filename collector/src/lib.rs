#![doc = include_str!("../README.md")]

// In the order of the road; rustfmt would sort them.
pub mod cli;

pub mod config;

pub mod layout;

pub mod init;

pub mod guard;

pub mod reserve;

pub mod app;

pub mod listen;

pub mod pki;

pub mod gateway;

pub mod ingest;

pub mod lake;

pub mod detect;

pub mod rulefile;

pub mod watch;

pub mod incident;

pub mod suspicion;

pub mod response;

pub mod report;

pub mod notice;

pub mod store;

pub mod evidence;

pub mod auth;

pub mod console;

pub mod api;

pub mod metric;
