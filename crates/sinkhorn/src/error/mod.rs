//! What can be wrong with a problem or with settings.

mod message;

/// One of the two marginals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Side {
    /// The row weights `a`.
    Rows,
    /// The column weights `b`.
    Columns,
}

/// Why a problem or a setting was refused.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// The cost matrix has no row or no column.
    EmptyCost {
        /// Number of rows asked for.
        n: usize,
        /// Number of columns asked for.
        m: usize,
    },
    /// The number of cost values is not `n * m`.
    CostLength {
        /// Number of rows asked for.
        n: usize,
        /// Number of columns asked for.
        m: usize,
        /// Number of values given.
        found: usize,
    },
    /// The number of cost values is not that of a batch's shapes together.
    BatchLength {
        /// Number of values that the shapes need.
        expected: usize,
        /// Number of values given.
        found: usize,
    },
    /// The number of weights is not that of the rows or columns of the cost.
    WeightCount {
        /// The marginal.
        side: Side,
        /// Rows or columns of the cost.
        expected: usize,
        /// Number of weights given.
        found: usize,
    },
    /// A weight is negative or not finite.
    Weight {
        /// The marginal.
        side: Side,
        /// Zero-based position of the weight.
        index: usize,
        /// The weight.
        value: f64,
    },
    /// The weights of one side sum to zero, or to more than a number can hold.
    Mass {
        /// The marginal.
        side: Side,
        /// Sum of the weights.
        value: f64,
    },
    /// The two marginals carry different mass, so no plan has both.
    MassMismatch {
        /// Sum of the row weights.
        a: f64,
        /// Sum of the column weights.
        b: f64,
    },
    /// More mass is to move than one of the sides has.
    MassBeyond {
        /// The mass asked for.
        mass: f64,
        /// What the lighter side has.
        limit: f64,
    },
    /// A cost between two positive weights is `NaN` or negative infinity, or infinite where a method
    /// has no use for forbidden cells.
    Cost {
        /// Zero-based row.
        i: usize,
        /// Zero-based column.
        j: usize,
        /// The cost.
        value: f64,
    },
    /// Every plan would have mass on forbidden cells, those of infinite cost.
    Blocked {
        /// Whether these are rows or columns.
        side: Side,
        /// Zero-based positions of rows or columns with more mass than may go anywhere.
        places: Vec<usize>,
        /// Their mass.
        mass: f64,
        /// All of the other side that they reach at finite costs.
        partners: Vec<usize>,
        /// What these can take.
        room: f64,
    },
    /// The number of potentials to start from is not that of the columns.
    PotentialCount {
        /// Columns of the cost.
        expected: usize,
        /// Number of potentials given.
        found: usize,
    },
    /// A potential to start from is `NaN` or infinite.
    Potential {
        /// Zero-based column.
        index: usize,
        /// The potential.
        value: f64,
    },
    /// The coordinates of a side's points do not divide into points of the dimension.
    PointLength {
        /// The marginal that the points belong to.
        side: Side,
        /// Coordinates of a point.
        dimension: usize,
        /// Number of coordinates given.
        found: usize,
    },
    /// A coordinate of a point with mass is `NaN` or infinite.
    Point {
        /// The marginal that the point belongs to.
        side: Side,
        /// Zero-based position of the point.
        index: usize,
        /// Zero-based coordinate.
        coordinate: usize,
        /// The coordinate.
        value: f64,
    },
    /// A point with mass is zero, so its cosines are not defined.
    ZeroPoint {
        /// The marginal that the point belongs to.
        side: Side,
        /// Zero-based position of the point.
        index: usize,
    },
    /// A vector has another length than a product with the plan needs.
    VectorLength {
        /// Name of the vector.
        name: &'static str,
        /// Length needed.
        expected: usize,
        /// Length given.
        found: usize,
    },
    /// Only a solve of a fixed number of iterations can be differentiated through all of them.
    NotUnrolled,
    /// The system of an implicit derivative is numerically singular.
    Singular {
        /// Number of unknowns.
        unknowns: usize,
    },
    /// The cost of a measure with itself is not as large as the measure.
    SelfCostShape {
        /// The measure.
        side: Side,
        /// Number of its weights.
        expected: usize,
        /// Rows and columns of the cost.
        found: (usize, usize),
    },
    /// The cost of a measure with itself is not symmetric between positive weights.
    Asymmetric {
        /// The measure.
        side: Side,
        /// Zero-based row.
        i: usize,
        /// Zero-based column.
        j: usize,
        /// The cost in that row and column.
        value: f64,
        /// The cost in the column's row and the row's column.
        mirrored: f64,
    },
    /// The cost of a measure with itself was refused.
    InSelfCost {
        /// The measure.
        side: Side,
        /// Why.
        error: Box<Error>,
    },
    /// A divergence is asked for with marginals that may be missed at different prices.
    UnequalRho {
        /// Price of the rows.
        rows: f64,
        /// Price of the columns.
        columns: f64,
    },
    /// A share of a barycentre's measure is negative or not finite.
    Share {
        /// Zero-based position of the measure.
        index: usize,
        /// The share.
        value: f64,
    },
    /// Two measures of a barycentre carry different mass.
    MeasureMass {
        /// Zero-based position of the measure.
        measure: usize,
        /// Mass of those before it.
        expected: f64,
        /// Its mass.
        found: f64,
    },
    /// A measure of a barycentre was refused.
    InMeasure {
        /// Zero-based position of the measure.
        measure: usize,
        /// Why.
        error: Box<Error>,
    },
    /// A barycentre is asked for with marginals that may be missed.
    Relaxed {
        /// Price of the rows.
        rows: f64,
        /// Price of the columns.
        columns: f64,
    },
    /// A problem of a batch was refused.
    InBatch {
        /// Zero-based position of the problem.
        problem: usize,
        /// Why.
        error: Box<Error>,
    },
    /// Epsilon, or the distance between the smallest and largest cost, is so large or so small
    /// that the potentials or the plan leave the range of numbers.
    OutOfRange {
        /// The regularisation; zero for methods without one.
        epsilon: f64,
        /// Largest less smallest cost between positive weights; infinite where it is their sum that
        /// is too large.
        spread: f64,
    },
    /// Where marginals may be missed, costs below zero draw mass, here more of it than a number holds.
    TooMuchMass {
        /// The regularisation.
        epsilon: f64,
        /// Smallest cost between positive weights.
        least: f64,
        /// Prices of missing the rows' and the columns' weights.
        rho: [f64; 2],
    },
    /// A setting is outside its domain.
    NotPositive {
        /// Name of the setting.
        setting: &'static str,
        /// The value given.
        value: f64,
    },
    /// A setting is not between zero and one.
    NotShare {
        /// Name of the setting.
        setting: &'static str,
        /// The value given.
        value: f64,
    },
}

impl std::error::Error for Error {}
