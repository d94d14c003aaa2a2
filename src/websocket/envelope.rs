//! Requests as they come: the envelope around a body, read in one pass that builds no tree.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;
use http::StatusCode;

use super::actions::Offer;
use super::codec::messagepack::{self, Sizes};
use super::codec::{Encoding, not_json, not_utf8};
use super::reply::{Echo, Reply};
use super::schema::{self, Action, Need};
use crate::auth::{Identity, Named};
use crate::model::json::{self, Fault, Kind, Scanner};
use crate::model::{ClientId, ProjectId};

/// A request whose action is known and whose parts are of the types that the action demands.
#[derive(Clone, Debug)]
pub struct Request {
    action: Action,
    envelope: Envelope,
}

/// What stands in a frame. Of members that nobody knows, there is no trace but the echo.
#[derive(Clone, Debug)]
struct Envelope {
    /// The frame, as JSON.
    text: Bytes,
    echo: Echo,
    action: Option<Part>,
    headers: Option<Part>,
    body: Option<Part>,
    /// Known headers.
    header_members: Vec<(&'static str, Part)>,
    /// Known members of the body.
    members: Vec<(&'static str, Part)>,
    /// Of a frame that was MessagePack.
    sizes: Option<Sizes>,
}

/// A value in a text.
#[derive(Clone, Debug)]
struct Part {
    kind: Kind,
    range: Range<usize>,
}

/// Headers that somebody may ask for.
const HEADERS: &[&str] = &[
    "Client-ID",
    "X-Project-ID",
    "X-Auth-Token",
    "X-Service-Token",
    "X-Roles",
    "X-User-ID",
    "URL-Signature",
    "URL-Expires",
    "URL-Methods",
    "URL-Paths",
    "User-Agent",
    "Date",
    "Accept",
];

/// Members of bodies that somebody may ask for.
const MEMBERS: &[&str] = &[
    "queue_name",
    "messages",
    "metadata",
    "marker",
    "limit",
    "echo",
    "wait",
    "ttl",
    "grace",
    "pop",
    "message_id",
    "message_ids",
    "claim_id",
    "claim_ids",
    "detailed",
    "include_claimed",
    "include_delayed",
    "resource_types",
    "subscriber",
    "subscription_id",
    "options",
    "from",
    "pool_name",
    "weight",
    "uri",
    "flavor",
    "flavor_name",
    "pool_list",
    "capabilities",
];

/// Reads a frame: a request, or the reply that says what is wrong with it (websocket.md 3). What is not on offer is no
/// action.
pub fn decode(encoding: Encoding, frame: Bytes, offer: Offer) -> Result<Request, Box<Reply>> {
    let undecodable = |words: String| {
        let words = format!("Can't decode {} request. {words}", encoding.name());
        Box::new(Reply::error(Echo::none(encoding), StatusCode::BAD_REQUEST, &words))
    };
    let (text, sizes) = match encoding {
        Encoding::Json => (frame, None),
        Encoding::MessagePack => {
            let translated = messagepack::to_json(&frame).map_err(undecodable)?;
            (translated.text, Some(translated.sizes))
        }
    };
    let Some(mut envelope) = read(encoding, &text).map_err(undecodable)? else {
        let words = "Unexpected body type. Expected dict or dict like.";
        return Err(Box::new(Reply::error(Echo::none(encoding), StatusCode::BAD_REQUEST, words)));
    };
    envelope.sizes = sizes;
    let Some(action) = envelope.action().filter(|action| offer.has(*action)) else {
        return Err(envelope.refused(&format!("{} is not a valid action", envelope.action_name())));
    };
    if action == Action::Authenticate {
        envelope.echo.keep_secrets();
    }
    if !envelope.fits(action) {
        return Err(envelope.refused("Schema validation failed."));
    }
    Ok(Request { action, envelope })
}

/// The envelope of a text; `None` where the text is no object.
fn read(encoding: Encoding, text: &Bytes) -> Result<Option<Envelope>, String> {
    let plain = std::str::from_utf8(text).map_err(|problem| not_utf8(text, problem))?;
    let mut scanner = Scanner::of(plain, json::MAX_DEPTH);
    let envelope = Envelope::scan(encoding, text, &mut scanner);
    let envelope = envelope.and_then(|envelope| scanner.end().map(|()| envelope));
    let envelope = envelope.map_err(|_| not_json(plain, &scanner))?;
    if !scanner.repeats {
        return Ok(envelope);
    }
    // Only the last value of a repeated key counts, for the checks as for the echo.
    let text = json::without_repeats(text).map_err(|_| not_json(plain, &scanner))?;
    let plain = std::str::from_utf8(&text).map_err(|problem| not_utf8(&text, problem))?;
    let mut scanner = Scanner::of(plain, json::MAX_DEPTH);
    Envelope::scan(encoding, &text, &mut scanner).map_err(|_| not_json(plain, &scanner))
}

impl Envelope {
    fn scan(encoding: Encoding, text: &Bytes, scanner: &mut Scanner) -> Result<Option<Self>, Fault> {
        if scanner.peek().is_ok_and(|first| first != b'{') {
            return scanner.value().map(|_| None);
        }
        let (mut action, mut headers, mut body, mut id) = (None, None, None, None);
        let (mut header_members, mut members) = (Vec::with_capacity(4), Vec::with_capacity(4));
        // Steps over the object as a value would: an error is one of a value.
        if scanner.peek().is_err() {
            return scanner.value().map(|_| None);
        }
        scanner.object(|scanner, key| {
            match &*key.decoded() {
                "action" => action = Some(part(scanner)?),
                "id" => id = Some(part(scanner)?),
                "headers" => headers = Some(object(scanner, HEADERS, &mut header_members)?),
                "body" => body = Some(object(scanner, MEMBERS, &mut members)?),
                _ => drop(scanner.value()?),
            }
            Ok(())
        })?;
        let range = |part: &Option<Part>| part.as_ref().map(|part| part.range.clone());
        let truthy = headers.clone().filter(|headers| !is_falsy(headers, text));
        let echo =
            Echo::of(encoding, text.clone(), [range(&action), range(&body), range(&truthy), range(&id)]);
        let text = text.clone();
        Ok(Some(Self { text, echo, action, headers, body, header_members, members, sizes: None }))
    }

    /// The reply that says what is wrong with it.
    fn refused(&self, words: &str) -> Box<Reply> {
        Box::new(Reply::error(self.echo.clone(), StatusCode::BAD_REQUEST, words))
    }

    fn action(&self) -> Option<Action> {
        let part = self.action.as_ref().filter(|part| part.kind == Kind::String)?;
        Action::parse(&string(&self.text[part.range.clone()]))
    }

    /// The action as Python would print it.
    fn action_name(&self) -> Cow<'_, str> {
        let Some(part) = &self.action else { return "None".into() };
        match part.kind {
            Kind::Null => "None".into(),
            Kind::Bool(true) => "True".into(),
            Kind::Bool(false) => "False".into(),
            Kind::String => string(&self.text[part.range.clone()]),
            _ => String::from_utf8_lossy(&self.text[part.range.clone()]),
        }
    }

    /// Whether the schema of that action admits it.
    fn fits(&self, action: Action) -> bool {
        let is_object = |part: &Option<Part>| part.as_ref().is_some_and(|part| part.kind == Kind::Object);
        let headers_fit = is_object(&self.headers)
            && schema::HEADERS
                .iter()
                .all(|name| find(&self.header_members, name).is_none_or(|part| part.kind == Kind::String))
            && action.headers().iter().all(|name| find(&self.header_members, name).is_some());
        let body_fits = match (action.body(), &self.body) {
            (Need::Unread, _) | (Need::Optional, None) => true,
            (Need::Required, None) => false,
            (Need::Required | Need::Optional, Some(_)) => is_object(&self.body) && self.members_fit(action),
        };
        headers_fit && body_fits
    }

    fn members_fit(&self, action: Action) -> bool {
        action.members().iter().all(|member| match find(&self.members, member.name) {
            Some(part) => member.of.admits(part.kind),
            None => !member.required,
        })
    }
}

impl Request {
    /// What is asked for.
    pub fn action(&self) -> Action {
        self.action
    }

    /// How it was written.
    pub fn encoding(&self) -> Encoding {
        self.envelope.echo.encoding()
    }

    /// Whether it has an `id`, so that its answer need not wait for those of earlier requests.
    pub fn has_id(&self) -> bool {
        self.envelope.echo.has_id()
    }

    /// What a reply repeats of it.
    pub(super) fn echo(&self) -> &Echo {
        &self.envelope.echo
    }

    /// A header that is a text.
    pub fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        let part = find(&self.envelope.header_members, name).filter(|part| part.kind == Kind::String)?;
        Some(string(&self.envelope.text[part.range.clone()]))
    }

    /// A header that is a list of texts; `None` where it is anything else.
    pub fn header_list(&self, name: &str) -> Option<Vec<String>> {
        let part = find(&self.envelope.header_members, name)?;
        let elements = elements(&self.envelope.text[part.range.clone()])?;
        elements
            .iter()
            .map(|element| element.starts_with(b"\"").then(|| string(element).into_owned()))
            .collect()
    }

    /// Whether the header was sent, of whatever type.
    pub fn has_header(&self, name: &str) -> bool {
        find(&self.envelope.header_members, name).is_some()
    }

    /// The client, as `echo` of listings tells clients apart.
    pub(super) fn client(&self) -> ClientId {
        ClientId::new(&self.header("Client-ID").unwrap_or_default())
    }

    /// Who calls, where nobody has to prove it.
    pub fn believed(&self) -> Identity {
        let roles = self.header("X-Roles").unwrap_or_default();
        let roles = roles.split(',').map(str::trim).filter(|role| !role.is_empty()).map(str::to_owned);
        Identity {
            project: self.header("X-Project-ID").map(|id| ProjectId::new(&id)),
            user: self.header("X-User-ID").map(|id| Named { id: id.into_owned(), ..Named::default() }),
            roles: roles.collect(),
            is_admin_project: true,
            ..Identity::default()
        }
    }

    /// A member of the body that is a text.
    pub(super) fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        let (kind, text) = self.value(name)?;
        (kind == Kind::String).then(|| string(text))
    }

    /// A member of the body that is an integer.
    pub(super) fn integer(&self, name: &str) -> Option<i64> {
        match self.value(name)?.0 {
            Kind::Integer(value) => Some(value),
            _ => None,
        }
    }

    /// A member of the body that is a boolean.
    pub(super) fn boolean(&self, name: &str) -> Option<bool> {
        match self.value(name)?.0 {
            Kind::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// A member of the body that is a list, its texts decoded; what is no text stands as JSON.
    pub(super) fn texts(&self, name: &str) -> Option<Vec<String>> {
        let (_, text) = self.value(name)?;
        Some(elements(text)?.into_iter().map(|element| string(element).into_owned()).collect())
    }

    /// A member of the body as JSON, and what it is.
    pub(super) fn value(&self, name: &str) -> Option<(Kind, &[u8])> {
        let part = find(&self.envelope.members, name)?;
        Some((part.kind, &self.envelope.text[part.range.clone()]))
    }

    /// The same, as a share of the frame.
    pub(super) fn share(&self, name: &str) -> Option<Bytes> {
        find(&self.envelope.members, name).map(|part| self.envelope.text.slice(part.range.clone()))
    }

    /// How many bytes `messages` or `metadata` has in the frame as it came (decision 20).
    pub(super) fn size(&self, name: &str) -> u64 {
        let size = match (&self.envelope.sizes, name) {
            (Some(sizes), "messages") => sizes.messages,
            (Some(sizes), _) => sizes.metadata,
            (None, name) => self.value(name).map_or(0, |(_, text)| text.len()),
        };
        size as u64
    }
}

fn find<'a>(parts: &'a [(&'static str, Part)], name: &str) -> Option<&'a Part> {
    parts.iter().find(|(found, _)| *found == name).map(|(_, part)| part)
}

/// Steps over a value.
fn part(scanner: &mut Scanner) -> Result<Part, Fault> {
    let start = start(scanner)?;
    let kind = scanner.value()?;
    Ok(Part { kind, range: start..scanner.at() })
}

/// Steps over a value; where it is an object, those of its members that have one of these names are noted.
fn object(
    scanner: &mut Scanner,
    names: &[&'static str],
    found: &mut Vec<(&'static str, Part)>,
) -> Result<Part, Fault> {
    let start = start(scanner)?;
    if scanner.peek() != Ok(b'{') {
        return part(scanner);
    }
    scanner.object(|scanner, key| {
        let key = key.decoded();
        match names.iter().find(|name| **name == key) {
            Some(name) => found.push((name, part(scanner)?)),
            None => drop(scanner.value()?),
        }
        Ok(())
    })?;
    Ok(Part { kind: Kind::Object, range: start..scanner.at() })
}

/// Where the next value begins; the end of the text is no fault yet.
fn start(scanner: &mut Scanner) -> Result<usize, Fault> {
    if scanner.peek().is_err() {
        scanner.value()?;
    }
    Ok(scanner.at())
}

/// Whether Python takes the value for nothing, and so does the reference's echo.
fn is_falsy(part: &Part, text: &Bytes) -> bool {
    match part.kind {
        Kind::Null | Kind::Bool(false) | Kind::Integer(0) => true,
        Kind::String => part.range.len() == 2,
        Kind::Array => elements(&text[part.range.clone()]).is_some_and(|elements| elements.is_empty()),
        _ => false,
    }
}

/// A JSON string decoded; anything else as it stands.
fn string(text: &[u8]) -> Cow<'_, str> {
    match text {
        [b'"', plain @ .., b'"'] if !plain.contains(&b'\\') => String::from_utf8_lossy(plain),
        [b'"', ..] => match Scanner::new(text).and_then(|mut scanner| scanner.string()) {
            Ok(found) => found.decoded(),
            Err(_) => String::from_utf8_lossy(text),
        },
        _ => String::from_utf8_lossy(text),
    }
}

/// The elements of a JSON array, as they stand.
fn elements(text: &[u8]) -> Option<Vec<&[u8]>> {
    let mut scanner = Scanner::new(text).ok()?;
    let mut elements = Vec::new();
    let all = scanner.array(|scanner| {
        let part = part(scanner)?;
        elements.push(&text[part.range]);
        Ok(())
    });
    all.ok().map(|()| elements)
}
