//! Compiles `cordon/v1/*.proto` with protox, so that no `protoc` is needed on the machine.
//!
//! Beside the types it writes `fields.txt`: every field of every message and every value of every
//! enum, one a line. `tests/compat.rs` holds that against the committed one.

use std::{fs, path::Path};

use prost_types::{
    DescriptorProto, EnumDescriptorProto,
    field_descriptor_proto::{Label, Type},
};

#[expect(clippy::disallowed_methods, reason = "what a build writes need not be durable")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = [
        "cordon/v1/common.proto",
        "cordon/v1/event.proto",
        "cordon/v1/enrolment.proto",
        "cordon/v1/session.proto",
        "cordon/v1/command.proto",
        "cordon/v1/keyring.proto",
        "cordon/v1/snapshot.proto",
    ];
    println!("cargo:rerun-if-changed=cordon");
    let descriptors = protox::compile(files, ["."])?;
    let mut lines = Vec::new();
    for file in &descriptors.file {
        file.message_type.iter().for_each(|it| message(it, &mut lines));
        file.enum_type.iter().for_each(|it| values(it, &mut lines));
    }
    lines.sort();
    let out = std::env::var("OUT_DIR")?;
    fs::write(Path::new(&out).join("fields.txt"), lines.join("\n") + "\n")?;
    tonic_prost_build::configure().bytes(".").compile_fds(descriptors)?;
    Ok(())
}

/// `Message 00001 name Type label oneof`, numbers with leading zeros so that lines sort.
fn message(message: &DescriptorProto, lines: &mut Vec<String>) {
    let name = message.name();
    if message.field.is_empty() {
        lines.push(format!("{name} (no fields)"));
    }
    for field in &message.field {
        let kind = field.r#type();
        let class = if kind == Type::Enum {
            "enum"
        } else if kind == Type::Message {
            "message"
        } else {
            "scalar"
        };
        let kind = if class == "scalar" {
            kind.as_str_name().trim_start_matches("TYPE_")
        } else {
            field.type_name().trim_start_matches(".cordon.v1.")
        };
        let label = match (field.label(), field.proto3_optional(), field.oneof_index) {
            (Label::Repeated, ..) => "repeated".to_owned(),
            (_, true, _) => "optional".to_owned(),
            (_, false, Some(index)) => {
                let oneof = usize::try_from(index).ok().and_then(|it| message.oneof_decl.get(it));
                format!("oneof={}", oneof.map_or("", |it| it.name()))
            }
            (_, false, None) => "single".to_owned(),
        };
        let (number, field) = (field.number(), field.name());
        lines.push(format!("{name} {number:05} {field} {class} {kind} {label}"));
    }
    message.nested_type.iter().for_each(|it| self::message(it, lines));
    message.enum_type.iter().for_each(|it| values(it, lines));
}

/// `enum Name 00001 VALUE`.
fn values(values: &EnumDescriptorProto, lines: &mut Vec<String>) {
    for value in &values.value {
        lines.push(format!("enum {} {:05} {}", values.name(), value.number(), value.name()));
    }
}
