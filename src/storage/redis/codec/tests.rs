use super::*;

fn value(bytes: &[u8]) -> Value {
    Value::BulkString(bytes.to_vec())
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

fn stored(checksum: Option<[u8; 16]>) -> Vec<u8> {
    let stored = Stored {
        position: Position(77),
        expires: at(1_000),
        created: at(900),
        ttl: 5,
        client: b"client",
        checksum,
        body: b"{}",
    };
    stored.encode()
}

/// A state as the library writes it.
fn state(claim: &[u8]) -> Vec<u8> {
    let (count, position, ttl) = (3_u32.to_be_bytes(), 78_i64.to_be_bytes(), 9_u64.to_be_bytes());
    [&[1][..], &count, &position, &time(at(2_000)), &ttl, claim].concat()
}

fn decode(kept: &[u8], state: &[u8]) -> Result<Message> {
    message(value(&[1; 16]), value(kept), value(state))
}

#[test]
fn a_message_comes_back() {
    let sum = Some(*b"0123456789abcdef");
    let fresh = decode(&stored(sum), b"").unwrap();
    assert_eq!(fresh.id, MessageId(Uuid::from_bytes([1; 16])));
    assert_eq!((fresh.cursor, fresh.created, fresh.ttl), (Cursor::After(Position(77)), at(900), 5));
    assert_eq!((fresh.claim, fresh.claim_count, fresh.checksum), (None, 0, sum));
    assert_eq!((fresh.client.as_bytes(), &fresh.body[..]), (&b"client"[..], &b"{}"[..]));

    let changed = decode(&stored(None), &state(&[7; 16])).unwrap();
    assert_eq!((changed.cursor, changed.ttl, changed.claim_count), (Cursor::After(Position(78)), 9, 3));
    assert_eq!((changed.claim, changed.checksum), (Some(ClaimId(Uuid::from_bytes([7; 16]))), None));
    assert_eq!(decode(&stored(None), &state(b"")).unwrap().claim, None);

    let delayed = decode(&stored(None), &time(at(4_000))).unwrap();
    assert_eq!(delayed.cursor, Cursor::AfterDelayed(at(4_000), delayed.id));
}

#[test]
fn what_is_cut_off_or_too_long_is_corrupt() {
    let (whole, state) = (stored(Some([9; 16])), state(&[7; 16]));
    // The body may be empty.
    for length in 0..whole.len() - 2 {
        assert!(matches!(decode(&whole[..length], b""), Err(Error::Corrupt(_))), "message of {length}");
    }
    for length in (1..state.len()).filter(|length| ![8, 29].contains(length)) {
        assert!(matches!(decode(&whole, &state[..length]), Err(Error::Corrupt(_))), "state of {length}");
    }
    let mut flagged = whole.clone();
    flagged[32] = 2;
    assert!(matches!(decode(&flagged, b""), Err(Error::Corrupt(_))));
    for odd in [Value::Nil, Value::Int(1), Value::Okay, Value::Array(vec![Value::Nil])] {
        assert!(matches!(messages(odd.clone()), Err(Error::Corrupt(_))), "{odd:?}");
        assert!(matches!(parcel(value(b"1"), odd.clone()), Err(Error::Corrupt(_))), "{odd:?}");
        assert!(matches!(parts::<2>(odd.clone()), Err(Error::Corrupt(_))), "{odd:?}");
    }
}

#[test]
fn epochs_sort_as_their_text_does() {
    let epochs = [i64::MIN, -7, -1, 0, 6, 7, 8, 1_795_190_691_123_457, 1 << 62, i64::MAX].map(Epoch);
    let texts = epochs.map(epoch);
    assert!(texts.is_sorted() && texts.iter().all(|text| text.len() == 16), "{texts:?}");
    for (epoch, text) in epochs.iter().zip(&texts) {
        assert_eq!(parse_epoch(value(text.as_bytes())).unwrap(), Some(*epoch));
        // As the library tells sealed data.
        assert_eq!(text.as_bytes()[0] >= b'c', epoch.is_sealed(), "{text}");
    }
    assert_eq!(parse_epoch(value(b"")).unwrap(), None);
    for bad in ["7", "800000000000000", "80000000000000077", "x000000000000007"] {
        assert!(matches!(parse_epoch(value(bad.as_bytes())), Err(Error::Corrupt(_))), "{bad}");
    }
}

#[test]
fn scores_are_read_in_every_form() {
    let due = |text: &str| due(value(text.as_bytes()));
    assert_eq!(due("").unwrap(), None);
    assert_eq!(due("1795190691123457").unwrap(), Some(at(1_795_190_691_123_457)));
    assert_eq!(due("2.2e+17").unwrap(), Some(at(220_000_000_000_000_000)));
    assert_eq!(due("9.2233720368547758e+18").unwrap(), Some(Timestamp::MAX));
    for bad in ["x", "nan", "1 2"] {
        assert!(matches!(due(bad), Err(Error::Corrupt(_))), "{bad}");
    }
}

#[test]
fn parcels_say_where_they_land() {
    let number = || value(b"12");
    let name = QueueName::parse("dead").unwrap();
    let (position, claim, due) = (7_i64.to_be_bytes(), [8; 16], time(at(9)));
    let held = [&b"H"[..], &position, &claim, &60_u64.to_be_bytes(), &due].concat();
    let landings = [
        ([&b"E"[..], &target(&name)].concat(), Landing::End(name)),
        ([&b"R"[..], &position].concat(), Landing::Ready(Position(7))),
        ([&b"D"[..], &due].concat(), Landing::Delayed(at(9))),
        (
            held,
            Landing::Held {
                position: Position(7),
                claim: ClaimId(Uuid::from_bytes(claim)),
                ttl: 60,
                ends: at(9),
            },
        ),
    ];
    let label = [&[1; 16][..], &3_u64.to_be_bytes(), &time(at(5)), &2_u32.to_be_bytes()].concat();
    for (bytes, landing) in landings {
        let whole = [&label[..], &bytes, &stored(None)].concat();
        let found = parcel(number(), value(&whole)).unwrap();
        assert_eq!((found.number, found.landing), (12, landing));
        assert_eq!((found.ttl, found.expires, found.claim_count), (3, at(5), 2));
        assert_eq!((found.created, &found.body[..]), (at(900), &b"{}"[..]));
        for length in 0..whole.len() - 2 {
            let cut = parcel(number(), value(&whole[..length]));
            assert!(matches!(cut, Err(Error::Corrupt(_))), "{length} bytes of {bytes:?}");
        }
    }
    assert!(parcel(value(b"x"), value(b"")).is_err());
}
