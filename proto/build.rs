//! Compiles `cordon/v1/*.proto` with protox, so that no `protoc` is needed on the machine.
//!
//! Beside the types it writes `fields.txt`: every field of every message and every value of every
//! enum, one a line. `tests/compat.rs` holds that against the committed one. And it writes
//! `shapes.rs`: where in a message the fields lie that may come any number of times, for
//! `src/count.rs`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto,
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
    let messages = descriptors.file.iter().flat_map(|it| &it.message_type);
    let messages: BTreeMap<_, _> = messages.map(|it| (it.name(), it)).collect();
    let shapes: String = messages.values().map(|it| shape(it, &messages)).collect();
    fs::write(Path::new(&out).join("shapes.rs"), shapes)?;
    tonic_prost_build::configure()
        .bytes(".")
        .codec_path("crate::codec::CountingCodec")
        .compile_fds(descriptors)?;
    Ok(())
}

type Messages<'a> = BTreeMap<&'a str, &'a DescriptorProto>;

/// The shape of a message: its fields that are entries or have some inside.
fn shape(message: &DescriptorProto, messages: &Messages<'_>) -> String {
    let (name, mut fields) = (message.name(), String::new());
    for field in &message.field {
        let inside = inside(field).filter(|it| has_entries(it, messages, &mut BTreeSet::new()));
        if is_entry(field) || inside.is_some() {
            let inside =
                inside.map_or("None".to_owned(), |it| format!("Some(&{})", it.to_uppercase()));
            let (number, is_entry) = (field.number(), is_entry(field));
            fields +=
                &format!("Field {{ number: {number}, is_entry: {is_entry}, inside: {inside} }},");
        }
    }
    let shape = name.to_uppercase();
    format!(
        "static {shape}: Shape = Shape(&[{fields}]);\n\
         impl Counted for v1::{name} {{ fn shape() -> &'static Shape {{ &{shape} }} }}\n"
    )
}

/// Whether each occurrence takes room of its own. Numbers do not count: they take little more than
/// on the wire.
fn is_entry(field: &FieldDescriptorProto) -> bool {
    let has_length = matches!(field.r#type(), Type::Message | Type::Bytes | Type::String);
    field.label() == Label::Repeated && has_length
}

/// The message that a field holds.
fn inside(field: &FieldDescriptorProto) -> Option<&str> {
    (field.r#type() == Type::Message).then(|| field.type_name().trim_start_matches(".cordon.v1."))
}

/// Whether a message has entries in it or below it.
fn has_entries<'a>(name: &'a str, messages: &Messages<'a>, seen: &mut BTreeSet<&'a str>) -> bool {
    let Some(message) = messages.get(name).filter(|_| seen.insert(name)) else { return false };
    let mut fields = message.field.iter();
    fields.any(|it| is_entry(it) || inside(it).is_some_and(|it| has_entries(it, messages, seen)))
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
