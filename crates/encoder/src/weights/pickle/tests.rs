//! Whole, damaged and hostile pickles.

use super::*;

fn refused(pickle: &[u8]) -> String {
    match Heap::read(&mut &*pickle).and_then(|heap| heap.tensors()) {
        Ok(tensors) => panic!("{tensors:?} was read"),
        Err(Unreadable::Corrupt(reason)) => reason,
        Err(Unreadable::Io(error)) => panic!("{error}"),
    }
}

/// What `torch.save({"a": torch.zeros(2, 3)})` of torch 2 writes, with a stride of three and one.
const TENSOR: &[u8] = b"\x80\x02}q\x00X\x01\x00\x00\x00aq\x01ctorch._utils\n_rebuild_tensor_v2\nq\x02((X\x07\x00\x00\x00storageq\x03ctorch\nFloatStorage\nq\x04X\x01\x00\x00\x000q\x05X\x03\x00\x00\x00cpuq\x06K\x06tq\x07QK\x00K\x02K\x03\x86q\x08K\x03K\x01\x86q\x09\x89ccollections\nOrderedDict\nq\n)Rq\x0btq\x0cRq\rs.";

#[test]
fn a_tensor_is_a_view_of_its_storage() {
    let storage = Storage {
        key: "0".into(),
        number: Number::F32,
        count: 6,
    };
    let expected = Tensor {
        storage,
        offset: 0,
        shape: vec![2, 3],
        strides: vec![3, 1],
    };
    let heap = Heap::read(&mut &*TENSOR).unwrap();
    assert_eq!(heap.tensors().unwrap(), [("a".to_owned(), expected)]);
}

#[test]
fn a_truncated_pickle_is_an_error_wherever_it_ends() {
    for length in 0..TENSOR.len() {
        refused(&TENSOR[..length]);
    }
}

/// Whatever a byte is changed to, there is an answer.
#[test]
fn a_changed_byte_makes_an_error_or_another_tensor() {
    for place in 0..TENSOR.len() {
        for byte in 0..=255 {
            let mut changed = TENSOR.to_vec();
            changed[place] = byte;
            drop(Heap::read(&mut &*changed).and_then(|heap| heap.tensors()));
        }
    }
}

#[test]
fn functions_are_refused_by_name() {
    for (pickle, expected) in [
        (&b"\x80\x02cos\nsystem\n"[..], "names os.system"),
        (
            b"\x80\x04X\x02\x00\x00\x00osX\x06\x00\x00\x00system\x93",
            "names os.system",
        ),
        (b"\x80\x02cbuiltins\neval\n", "names builtins.eval"),
        (b"\x80\x02ctorch\nload\n", "names torch.load"),
        (
            b"\x80\x02ctorch._utils\n_rebuild_sparse_tensor\n",
            "_rebuild_sparse_tensor",
        ),
        // The old instructions for objects are not known at all.
        (b"\x80\x02(ios\nsystem\n.", "instruction 0x69"),
        (b"\x80\x02}\x81.", "instruction 0x81"),
    ] {
        let reason = refused(pickle);
        assert!(reason.contains(expected), "{reason}");
    }
}

#[test]
fn what_makes_no_sense_is_an_error() {
    for (pickle, expected) in [
        (&b"."[..], "empty stack"),
        (b"\x80\x09.", "protocol 9"),
        (b"}(.", "empty stack"),
        (b"}(\x85.", "takes from an empty stack"),
        (b"t.", "no mark"),
        (b"h\x07.", "recalls"),
        (b"K\x01K\x02s.", "empty stack"),
        (b"K\x00K\x01K\x02s.", "adds entries to a number"),
        (b"}(K\x01u.", "adds entries to a dictionary"),
        (b"K\x01K\x02a.", "appends to a number"),
        (b"K\x01)R.", "calls what is not a function"),
        (
            b"ccollections\nOrderedDict\nK\x01\x85R.",
            "dictionary or storage of its own",
        ),
        (
            b"ctorch\nFloatStorage\n)R.",
            "dictionary or storage of its own",
        ),
        (b"ctorch._utils\n_rebuild_tensor_v2\n)R.", "without storage"),
        (b"K\x01Q.", "refers to something other"),
        (b"]K\x01a.", "no dictionary of tensors"),
        (b"}K\x01K\x02s.", "a number for a name"),
        (b"}X\x01\x00\x00\x00aK\x02s.", "\"a\" is a number"),
        (b"X\xff\xff\xff\xffabc", "ends within"),
        (b"X\x01\x00\x00\x00\xff.", "not UTF-8"),
    ] {
        let reason = refused(pickle);
        assert!(reason.contains(expected), "{reason} instead of {expected}");
    }
    let negative: Vec<u8> = [&TENSOR[..TENSOR.len()]].concat();
    let at = negative
        .windows(2)
        .position(|pair| pair == b"K\x06")
        .unwrap();
    let negative = [&negative[..at], b"J\xff\xff\xff\xff", &negative[at + 2..]].concat();
    assert!(refused(&negative).contains("-1 for a size"));
}

#[test]
fn deep_and_circular_pickles_are_dropped() {
    // A million tuples in each other, then a list in itself.
    let mut deep = b")".to_vec();
    deep.extend([0x85].repeat(1_000_000));
    deep.push(b'.');
    assert!(refused(&deep).contains("no dictionary"));
    assert!(refused(b"]q\x00h\x00a.").contains("no dictionary"));
    // Marks without end, and a pickle without end.
    assert!(refused(&[b'('].repeat(1_000_000)).contains("too early"));
    assert!(refused(&[b'N'].repeat(5 << 20)).contains("too early"));
}
