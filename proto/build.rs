//! Compiles `cordon/v1/*.proto` with protox, so that no `protoc` is needed on the machine.

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
    tonic_prost_build::configure().bytes(".").compile_fds(descriptors)?;
    Ok(())
}
