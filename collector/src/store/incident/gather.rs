//! Gathering: what a page of the journal changes, in one transaction: detections, the incidents that
//! they join or open, what is done about each, and how far the journal was read.
//!
//! Because all of it is true together or not at all, a crash can neither lose the command that a
//! detection calls for nor make a second one: what is derived again is known, and changes nothing.

use cordon_shared::{detection::Detection, id::IncidentId, incident::Phases};

use super::{
    Gathered, NewEntry, NewIncident, News, OpenIncident,
    write::{append, extend, insert, open_incidents, step},
};
use crate::store::{
    By, Store, StoreError, Tx, command,
    command::NewCommand,
    commit,
    detection::{self, Kept},
    position,
};

/// What is done about a detection.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Nothing, and nothing is to be said about it.
    Nothing,
    /// This signed command goes out.
    Command(Box<NewCommand>),
    /// Nothing; the timeline says why.
    Note(String),
}

/// Decides while a page is gathered. It must not remember a decision as done: the transaction may
/// fail, and then another judge is asked again.
pub trait Judge: Send {
    /// An incident to be opened, should a detection belong to none that is open.
    fn open(&mut self) -> NewIncident;

    /// Which of the open incidents of its agent a detection belongs to.
    fn place(&mut self, detection: &Detection, open: &[OpenIncident]) -> Option<IncidentId>;

    /// The phases after a detection has joined; nothing when they stay.
    fn joined(&mut self, phases: &Phases) -> Option<Phases>;

    /// What is done about a detection that no command was issued for.
    fn answer(&mut self, detection: &Detection, gathered: &Gathered) -> Answer;

    /// The phases after a command was issued; nothing when they stay.
    fn ordered(&mut self, phases: &Phases) -> Option<Phases>;
}

impl Store {
    /// Keeps detections, puts each into an incident, and keeps what is done about it, as `judge`
    /// says; `position` is the name and value of the reader's position. All or nothing.
    ///
    /// # Errors
    /// [`StoreError`] of the database: nothing of it is true.
    pub async fn gather(
        &self,
        found: &[Detection],
        position: (&str, u64),
        by: &By,
        judge: &mut dyn Judge,
    ) -> Result<Vec<Gathered>, StoreError> {
        let mut tx = self.begin().await?;
        let mut gathered = Vec::with_capacity(found.len());
        for detection in found {
            gathered.push(gather(&mut tx, detection, by, judge).await?);
        }
        position::keep(&mut tx, position.0, position.1).await?;
        commit(tx).await?;
        Ok(gathered)
    }
}

async fn gather(
    tx: &mut Tx,
    detection: &Detection,
    by: &By,
    judge: &mut dyn Judge,
) -> Result<Gathered, StoreError> {
    let gathered = match detection::keep(tx, detection, by.at).await? {
        Kept::Known(id) => {
            let incident = detection::incident_of(tx, id).await?;
            // It was answered, or its answer was a reason, in the transaction that kept it.
            return Ok(Gathered { detection: id, incident, news: News::Nothing });
        }
        Kept::Repeated(id) => {
            let incident = detection::incident_of(tx, id).await?;
            Gathered { detection: id, incident, news: News::Repeated }
        }
        Kept::New => join(tx, detection, by, judge).await?,
    };
    if command::is_answered(tx, gathered.detection).await? {
        return Ok(gathered);
    }
    match judge.answer(detection, &gathered) {
        Answer::Nothing => (),
        Answer::Command(new) => command::issue(tx, &new, by, |it| judge.ordered(it)).await?,
        Answer::Note(text) => {
            let entry = NewEntry {
                at: by.at,
                recorded: by.at,
                kind: "response",
                actor: by.principal.clone(),
                text,
                object: format!("detection {}", gathered.detection),
            };
            append(tx, gathered.incident, &entry).await?;
        }
    }
    Ok(gathered)
}

/// Puts a new detection into an incident that is open, or opens one.
async fn join(
    tx: &mut Tx,
    detection: &Detection,
    by: &By,
    judge: &mut dyn Judge,
) -> Result<Gathered, StoreError> {
    let open = open_incidents(tx, detection.agent).await?;
    let (incident, news) = match judge.place(detection, &open) {
        Some(incident) => (incident, News::Joined),
        None => {
            let new = judge.open();
            insert(tx, detection, &new).await?;
            (new.id, News::Opened)
        }
    };
    extend(tx, incident, detection).await?;
    let entry = NewEntry {
        at: detection.at,
        recorded: by.at,
        kind: "detection",
        actor: "collector".to_owned(),
        text: format!("{}: {}", detection.rule.title, detection.summary),
        object: format!("detection {}", detection.id),
    };
    append(tx, incident, &entry).await?;
    if news == News::Joined {
        step(tx, incident, by.at, |it| judge.joined(it)).await?;
    }
    Ok(Gathered { detection: detection.id, incident, news })
}
