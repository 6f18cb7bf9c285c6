#![allow(clippy::unwrap_used)]

use proptest::collection::vec;
use proptest::prelude::*;

use super::reference::max_sim;
use super::*;

type Documents = Vec<Vec<f32>>;

/// Dimensions, documents and queries; lengths around the kernel's tile and panel widths.
fn collections() -> impl Strategy<Value = (usize, Documents, Documents)> {
    let dims = prop_oneof![Just(1_usize), Just(7), Just(16), Just(33)];
    dims.prop_flat_map(|dims| {
        let texts = move |tokens: std::ops::Range<usize>, count| {
            vec(
                tokens.prop_flat_map(move |n| vec(-1.0_f32..1.0, n * dims)),
                count,
            )
        };
        (Just(dims), texts(1..40, 0..30), texts(1..70, 0..6))
    })
}

fn index_of(dims: usize, documents: &[Vec<f32>]) -> ExactIndex {
    let mut index = ExactIndex::new(dims).unwrap();
    for (number, document) in documents.iter().enumerate() {
        index.add(&format!("d{number}"), document).unwrap();
    }
    index
}

fn query(vectors: &[f32]) -> QueryRef<'_> {
    QueryRef {
        vectors,
        excluded: &[],
    }
}

/// Scores as bits, so that equality is exact.
fn bits(hits: &[Hit]) -> Vec<(String, u32)> {
    hits.iter()
        .map(|hit| (hit.id.clone(), hit.score.to_bits()))
        .collect()
}

/// What a file of an index may hold, and bytes that lead nowhere.
fn content() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        &b"OPTICAL\0\x01\0\0\0"[..],
        b"\x01\0\0\0",
        b"\x02\0\0\0\x01\0\0\0a",
        b"\x01\0\0\0\0\0\0\0",
        b"\x09\0\0\0\0\0\0\0",
        b"\0\0\0\0",
        b"\0\x3c",
        b"\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\xff",
    ]);
    vec(piece, 0..16).prop_map(|pieces| pieces.concat())
}

proptest! {
    /// The checksum keeps nothing from being read up to it, and here it is right.
    #[test]
    fn any_bytes_are_an_index_or_refused(content in content()) {
        use sha2::{Digest, Sha256};
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("any.index");
        let begun = [&b"OPTICAL\0\x01\0\0\0"[..], &content].concat();
        for content in [content, begun] {
            let whole = [&content[..], &Sha256::digest(&content)].concat();
            for bytes in [content, whole] {
                std::fs::write(&path, bytes).unwrap();
                if let Err(error) = open(&path) {
                    prop_assert!(error.to_string().contains("any.index"), "{error}");
                }
            }
        }
    }

    #[test]
    fn scores_are_those_of_the_definition((dims, documents, queries) in collections()) {
        let index = index_of(dims, &documents);
        let batch: Vec<_> = queries.iter().map(|vectors| query(vectors)).collect();
        let rankings = index.search_many(&batch, documents.len()).unwrap();
        prop_assert_eq!(rankings.len(), queries.len());
        for (vectors, hits) in queries.iter().zip(&rankings) {
            prop_assert_eq!(hits.len(), documents.len());
            for hit in hits {
                let document = &documents[hit.id[1..].parse::<usize>().unwrap()];
                let expected = max_sim(vectors, document, dims);
                // Half an ulp for each of the sums of at most 70 x 33 terms below 1.
                let tolerance = 1e-5 * (vectors.len() as f64).max(1.0);
                prop_assert!((f64::from(hit.score) - expected).abs() <= tolerance);
                let alone = index.score(vectors, &hit.id).unwrap().unwrap();
                prop_assert_eq!(alone.to_bits(), hit.score.to_bits());
            }
        }
    }

    #[test]
    fn a_score_depends_on_query_and_document_alone((dims, documents, queries) in collections()) {
        let index = index_of(dims, &documents);
        let batch: Vec<_> = queries.iter().map(|vectors| query(vectors)).collect();
        let together = index.search_many(&batch, documents.len()).unwrap();
        for threads in [1, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let again = pool.install(|| index.search_many(&batch, documents.len())).unwrap();
            for (hits, again) in together.iter().zip(&again) {
                prop_assert_eq!(bits(hits), bits(again));
            }
        }
        for (vectors, hits) in queries.iter().zip(&together) {
            prop_assert_eq!(bits(hits), bits(&index.search(vectors, documents.len(), &[]).unwrap()));
            for hit in hits {
                let document = &documents[hit.id[1..].parse::<usize>().unwrap()];
                let mut alone = ExactIndex::new(dims).unwrap();
                alone.add(&hit.id, document).unwrap();
                let alone = alone.search(vectors, 1, &[]).unwrap();
                prop_assert_eq!(alone[0].score.to_bits(), hit.score.to_bits());
            }
        }
    }

    #[test]
    fn fewer_hits_are_the_first_of_more((dims, documents, queries) in collections(), k in 0..8_usize) {
        let index = index_of(dims, &documents);
        for vectors in &queries {
            let all = index.search(vectors, usize::MAX, &[]).unwrap();
            let few = index.search(vectors, k, &[]).unwrap();
            prop_assert_eq!(&all[..k.min(all.len())], &few[..]);
            let excluded: Vec<_> = few.iter().map(|hit| hit.id.as_str()).collect();
            let rest = index.search(vectors, usize::MAX, &excluded).unwrap();
            prop_assert_eq!(&all[few.len()..], &rest[..]);
        }
    }

    #[test]
    fn a_loaded_index_is_the_saved_one((dims, documents, _) in collections()) {
        let index = index_of(dims, &documents);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("verses.index");
        index.save(&path).unwrap();
        let kept = open(&path).unwrap();
        prop_assert_eq!(kept.dims(), dims);
        prop_assert!(kept.ids().eq(index.ids()) && kept.ids().count() == documents.len());
        prop_assert!(kept.ids().all(|id| kept.contains(id) && kept.vectors(id) == index.vectors(id)));
        prop_assert_eq!(ExactIndex::load(&path).unwrap(), index);
    }
}

/// Maxima 0.5 and 0.25 for the two query tokens.
#[test]
fn a_score_is_the_sum_of_the_largest_dot_products() {
    let mut index = ExactIndex::new(2).unwrap();
    index.add("d1", &[0.5, 0.0, 0.0, 0.25, -1.0, -1.0]).unwrap();
    let hits = index.search(&[1.0, 0.0, 0.0, 1.0], 10, &[]).unwrap();
    assert_eq!(
        hits,
        [Hit {
            id: "d1".into(),
            score: 0.75
        }]
    );
}

/// A document of which every token is dissimilar must not gain from padding.
#[test]
fn negative_maxima_stay_negative() {
    let mut index = ExactIndex::new(2).unwrap();
    index.add("d1", &[-1.0, 0.0]).unwrap();
    assert_eq!(index.search(&[1.0, 0.0], 1, &[]).unwrap()[0].score, -1.0);
}

#[test]
fn ties_are_in_descending_order_of_ids() {
    let mut index = ExactIndex::new(1).unwrap();
    for id in ["b", "a", "c"] {
        index.add(id, &[1.0]).unwrap();
    }
    let hits = index.search(&[1.0], 2, &["c", "unknown"]).unwrap();
    assert_eq!(
        hits.iter().map(|hit| hit.id.as_str()).collect::<Vec<_>>(),
        ["b", "a"]
    );
}

#[test]
fn more_queries_than_fit_a_pass_are_answered_in_order() {
    let index = index_of(1, &[vec![1.0], vec![2.0]]);
    let long = vec![1.0; 20_000];
    let short = [3.0];
    let batch = [query(&long), query(&long), query(&short)];
    let rankings = index.search_many(&batch, 1).unwrap();
    let best: Vec<_> = rankings.iter().map(|hits| hits[0].score).collect();
    assert_eq!(best, [40_000.0, 40_000.0, 6.0]);
}

#[test]
fn a_query_without_vectors_finds_nothing_and_others_what_is_theirs() {
    let index = index_of(1, &[vec![1.0], vec![2.0]]);
    let batch = [query(&[]), query(&[3.0]), query(&[]), query(&[-1.0])];
    let rankings = index.search_many(&batch, 1).unwrap();
    let best: Vec<_> = rankings
        .iter()
        .map(|it| it.first().map(|hit| hit.score))
        .collect();
    assert_eq!(best, [None, Some(6.0), None, Some(-1.0)]);
    assert!(index.search(&[], 1, &[]).unwrap().is_empty());
    assert!(index.contains("d1") && !index.contains("d2"));
}

#[test]
fn bad_vectors_are_refused_by_name() {
    let mut index = ExactIndex::new(2).unwrap();
    index.add("d1", &[1.0, 0.0]).unwrap();
    let refused = |result: Result<(), IndexError>| match result.unwrap_err() {
        IndexError::Document { id, source } => (id, source),
        other => panic!("{other}"),
    };
    assert_eq!(
        refused(index.add("d2", &[])),
        ("d2".into(), VectorError::Empty)
    );
    let ragged = VectorError::Ragged { values: 3, dims: 2 };
    assert_eq!(refused(index.add("d2", &[1.0; 3])).1, ragged);
    assert_eq!(
        refused(check_document("d2", &[1.0; 3], 2).map(|_| ())).1,
        ragged
    );
    assert_eq!(check_document("d2", &[1.0; 4], 2).unwrap(), 2);
    let (_, source) = refused(index.add("d2", &[1.0, 0.0, 0.0, f32::NAN]));
    assert!(
        matches!(
            source,
            VectorError::OutOfRange {
                token: 1,
                dimension: 1,
                ..
            }
        ),
        "{source}"
    );
    assert!(matches!(
        refused(index.add("d2", &[0.0, -65505.0])).1,
        VectorError::OutOfRange { .. }
    ));
    assert!(matches!(index.add("d1", &[1.0, 0.0]), Err(IndexError::Duplicate(id)) if id == "d1"));
    let error = index.search(&[f32::INFINITY, 0.0], 1, &[]).unwrap_err();
    assert!(matches!(error, IndexError::Query { position: 0, .. }));
    assert!(matches!(ExactIndex::new(0), Err(IndexError::NoDimensions)));
    assert_eq!(index.len(), 1);
}

#[test]
fn damaged_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("verses.index");
    index_of(2, &[vec![1.0, 0.0], vec![0.5, 0.5, 0.0, 1.0]])
        .save(&path)
        .unwrap();
    let whole = std::fs::read(&path).unwrap();
    let fault = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        match ExactIndex::load(&path).unwrap_err() {
            IndexError::File { fault, .. } => fault,
            other => panic!("{other}"),
        }
    };
    for length in 0..whole.len() {
        let fault = fault(&whole[..length]);
        assert!(
            matches!(fault, FileFault::Foreign | FileFault::Length { .. }),
            "{fault}"
        );
    }
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        fault(&damaged);
    }
    let mut format = whole.clone();
    format[8] = 2;
    assert_eq!(fault(&format), FileFault::Format { found: 2, known: 1 });
    let missing = ExactIndex::load(&folder.path().join("none"));
    assert!(matches!(missing, Err(IndexError::Read { .. })));
}

#[test]
fn partners_are_where_the_terms_of_the_score_come_from() {
    let documents = [vec![0.0, 1.0], vec![0.6, 0.8, 1.0, 0.0, 0.0, -1.0]];
    let index = index_of(2, &documents);
    let query = [0.9, 0.1, 0.2, 0.8, -0.1, -0.7];
    assert_eq!(index.partners(&query, "d1").unwrap().unwrap(), [1, 0, 2]);
    assert_eq!(index.partners(&query, "d0").unwrap().unwrap(), [0, 0, 0]);
    // 0.9 + (0.12 + 0.64) + 0.7, with 0.6 and 0.8 in half precision.
    let score = index.score(&query, "d1").unwrap().unwrap();
    assert!((score - 2.36).abs() < 1e-3, "{score}");
    assert_eq!(index.partners(&query, "d2").unwrap(), None);
    assert!(index.partners(&query[..3], "d1").is_err());
}
