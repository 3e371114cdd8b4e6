//! Roles, and what each of them may do: one table.

/// What a responder is here.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Role {
    /// Looks.
    Viewer,
    /// Looks into events.
    Analyst,
    /// Contains.
    Responder,
    /// Leads incidents; decides who is in and who is out.
    Lead,
    /// Sets the system up.
    Admin,
}

impl Role {
    /// All of them, each with the rights of those before it.
    pub const ALL: [Self; 5] =
        [Self::Viewer, Self::Analyst, Self::Responder, Self::Lead, Self::Admin];

    /// The name in tokens and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Analyst => "analyst",
            Self::Responder => "responder",
            Self::Lead => "lead",
            Self::Admin => "admin",
        }
    }

    /// Reads the name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == text)
    }

    /// Whether the table gives this role that right.
    #[must_use]
    pub fn may(self, right: Right) -> bool {
        self >= right.least()
    }
}

/// What can be asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Right {
    /// Read hosts, detections, incidents, commands, rules, the keyring.
    Look,
    /// Report something odd.
    Report,
    /// Read events: they hold command lines and names of persons.
    ReadEvents,
    /// Take evidence with them: what a host says of itself, whole.
    ReadEvidence,
    /// Keep detections of a rule from becoming incidents for a time.
    Suppress,
    /// Hand in commands that people have signed: whether they are obeyed is the signatures' to say.
    HandInCommands,
    /// Write notes and tasks into incidents.
    WriteNotes,
    /// Open incidents, judge them, move them on and close them.
    WorkIncidents,
    /// Move an incident on though a gate is open, with a reason.
    OverrideGates,
    /// Approve and revoke agents.
    DecideHosts,
    /// Load the rules again from the collector's disk.
    LoadRules,
    /// Read the audit log.
    ReadAudit,
    /// Make tokens.
    MakeTokens,
    /// Install a keyring that root and admins signed.
    InstallKeyring,
}

impl Right {
    /// The table: the least role that has it.
    fn least(self) -> Role {
        match self {
            Self::Look | Self::Report => Role::Viewer,
            Self::ReadEvents | Self::ReadEvidence | Self::WriteNotes => Role::Analyst,
            Self::HandInCommands | Self::Suppress | Self::WorkIncidents => Role::Responder,
            Self::OverrideGates | Self::DecideHosts | Self::LoadRules | Self::ReadAudit => {
                Role::Lead
            }
            Self::MakeTokens | Self::InstallKeyring => Role::Admin,
        }
    }
}
