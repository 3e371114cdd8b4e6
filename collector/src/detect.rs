//! Events → detections: Sigma rules, compiled once.
//!
//! On the road: arrivals come in by way of the watch, [`Detection`](cordon_shared::detection)s go
//! out. Rules are read from YAML ([`parse`]) into values ([`rule`], [`pattern`]), all those of a log
//! source compiled to one matcher ([`matcher`]) and run ([`engine`]) over whatever can name its
//! fields ([`field::Fields`]): an event of ours, or JSON.
//!
//! Pure: no clock, no file, no thread. A rule that cannot be loaded is named with its line and its
//! reason, and the others load. One that breaks on an event is switched off and named, and the others
//! go on (F-49).

pub mod engine;

pub mod field;

pub mod logsource;

pub mod matcher;

pub mod parse;

pub mod pattern;

pub mod row;

pub mod rule;

/// The rules that come with the collector: `(file, text)`.
pub const SHIPPED: &[(&str, &str)] = &[
    (
        "account_database_written.yaml",
        include_str!("../content/rules/account_database_written.yaml"),
    ),
    ("authorized_keys_written.yaml", include_str!("../content/rules/authorized_keys_written.yaml")),
    ("base64_decoded_to_shell.yaml", include_str!("../content/rules/base64_decoded_to_shell.yaml")),
    (
        "container_escape_to_host.yaml",
        include_str!("../content/rules/container_escape_to_host.yaml"),
    ),
    ("cron_file_written.yaml", include_str!("../content/rules/cron_file_written.yaml")),
    (
        "cryptominer_command_line.yaml",
        include_str!("../content/rules/cryptominer_command_line.yaml"),
    ),
    ("data_staged_and_sent.yaml", include_str!("../content/rules/data_staged_and_sent.yaml")),
    ("download_piped_to_shell.yaml", include_str!("../content/rules/download_piped_to_shell.yaml")),
    (
        "executable_deleted_or_in_memory.yaml",
        include_str!("../content/rules/executable_deleted_or_in_memory.yaml"),
    ),
    (
        "execution_from_temporary_folder.yaml",
        include_str!("../content/rules/execution_from_temporary_folder.yaml"),
    ),
    (
        "execution_from_temporary_folder_by_service.yaml",
        include_str!("../content/rules/execution_from_temporary_folder_by_service.yaml"),
    ),
    (
        "kernel_module_loaded_by_hand.yaml",
        include_str!("../content/rules/kernel_module_loaded_by_hand.yaml"),
    ),
    ("ld_so_preload_written.yaml", include_str!("../content/rules/ld_so_preload_written.yaml")),
    ("log_wiped.yaml", include_str!("../content/rules/log_wiped.yaml")),
    ("packet_filter_flushed.yaml", include_str!("../content/rules/packet_filter_flushed.yaml")),
    (
        "reverse_shell_command_line.yaml",
        include_str!("../content/rules/reverse_shell_command_line.yaml"),
    ),
    (
        "security_service_stopped.yaml",
        include_str!("../content/rules/security_service_stopped.yaml"),
    ),
    (
        "setuid_or_capability_given.yaml",
        include_str!("../content/rules/setuid_or_capability_given.yaml"),
    ),
    ("shadow_read_or_copied.yaml", include_str!("../content/rules/shadow_read_or_copied.yaml")),
    ("shell_history_disabled.yaml", include_str!("../content/rules/shell_history_disabled.yaml")),
    ("shell_profile_written.yaml", include_str!("../content/rules/shell_profile_written.yaml")),
    ("shell_under_web_server.yaml", include_str!("../content/rules/shell_under_web_server.yaml")),
    ("shell_with_socket_stdio.yaml", include_str!("../content/rules/shell_with_socket_stdio.yaml")),
    (
        "ssh_forwarding_by_service.yaml",
        include_str!("../content/rules/ssh_forwarding_by_service.yaml"),
    ),
    ("sudoers_written.yaml", include_str!("../content/rules/sudoers_written.yaml")),
    ("systemd_unit_written.yaml", include_str!("../content/rules/systemd_unit_written.yaml")),
];

#[cfg(test)]
mod tests;
