"""Every number that the engines share with Python, once: what rows, columns and slots mean.

Python writes a network, a run and a workspace as arrays of numbers, and the engines read them.
native/numbers.pxd repeats this page for C, because Cython must know the numbers when it compiles; a
test compares the two. One name has one meaning: no two enums share one.
"""

from enum import IntEnum, auto


class Kind(IntEnum):
    """What a row of a program is. From RELU to USER rows are elementwise: see is_elementwise; the
    derivatives of those from SILU on read x: see reads_input.
    """

    DENSE = 0
    RELU = auto()
    ELU = auto()
    TANH = auto()
    SIGMOID = auto()
    LEAKY_RELU = auto()
    SELU = auto()
    SILU = auto()
    MISH = auto()
    SOFTPLUS = auto()
    GELU = auto()
    USER = auto()  # an activation that a user wrote; its code is among the choices
    LOG_SOFTMAX = auto()
    DROPOUT = auto()
    COLUMN_SCALE = auto()  # this and the next three are norms: see is_norm
    STANDARDIZE = auto()
    BATCH_NORM = auto()
    LAYER_NORM = auto()
    CONV = auto()
    MAX_POOL = auto()
    AVG_POOL = auto()
    FLATTEN = auto()  # images before it, rows from here on
    FORK = auto()  # where a shortcut starts: what comes in goes on, and to its ADD
    ADD = auto()  # where it ends: what comes in, and what its FORK put out


class Column(IntEnum):
    """A column of a program's row. (Of a pair, for an image's rows and columns, the first.)"""

    KIND = 0
    INPUTS = auto()
    OUTPUTS = auto()
    PARAMS = auto()  # where w and then b start in the flat parameter vector
    CHANNELS = auto()  # of the images before a window, and behind it
    HEIGHT = auto()
    IMAGE_WIDTH = auto()
    OUT_CHANNELS = auto()
    OUT_HEIGHT = auto()
    OUT_IMAGE_WIDTH = auto()
    KERNEL = auto()  # a pair, as are the next two
    STRIDE = KERNEL + 2
    PADDING = STRIDE + 2  # before an image; behind it there is what windows need
    GROUPS = PADDING + 2  # of channels and filters
    BIAS = auto()  # whether there is a b behind w; else an engine's is 0 and stays so
    SEED = auto()  # of dropout's masks
    MASKS = auto()  # the number of the epoch's first
    PARTNER = auto()  # the row of a fork's ADD, and of an addition's FORK
    FROZEN = auto()  # 1 where the optimiser leaves its parameters as they are
    # Parameters that are vectors, as norms have, and buffers: one after another in a flat vector.
    VECTOR = auto()  # the numbers of each of them: one a column, or a channel
    PARAM_VECTORS = auto()  # how many parameters; 0 where w is a matrix
    FIRST_BUFFER = auto()  # where the first starts in the flat vector of buffers
    BUFFERS = auto()  # how many
    BATCHES = auto()  # that a running average has seen before the epoch
    COLUMNS = auto()  # how many there are


class PlanColumn(IntEnum):
    """A column of a plan's row: where a layer's things lie in the workspace, in elements.

    Python writes SPLIT; engine_plan, which alone knows its engine's layout, the rest.
    """

    SPLIT = 0  # one of Split
    WIDTH = auto()  # of vectors (native), of y and dy (Numba): outputs, rounded up
    Y = auto()
    DY = auto()
    W = auto()  # w, then b; the next two likewise, for what the optimiser remembers
    M = auto()
    V = auto()
    BUFFER = auto()  # the buffers
    X = auto()  # in the first row: where the thread's own batches lie, and how far apart
    X_STRIDE = auto()
    SUMS = auto()  # of a convolution's gradients, a segment's after another's
    LOSSES = auto()  # of each sample, in doubles
    PARTS = auto()  # of what blocks of a batch leave for BatchNorm
    STATISTICS = auto()  # of a norm's batch, from forward to backward: two of each column or row
    STEP = auto()  # scratch: for the step that W takes (native), for the gradients of a norm
    SQUARES = auto()  # of rows: sums over parts of a layer's weights or gradient, in doubles
    # The native engine's alone:
    Y_ROW = auto()  # from a sample's y, dy and step to the next one's
    EXCHANGE = auto()  # the size of a buffer for sums, of which there are two
    PRIVATE = auto()  # from what one thread has to itself to what the next one has
    BLOCK_STRIDE = (
        auto()
    )  # in the first row: from one block's images to the next's, if they are kept
    PADDED = auto()  # a convolution's x with a border
    IMAGES = auto()  # the images that the first row reads
    PARITY = auto()  # from what a step shares to what the next one does
    ACTIVE = auto()  # the numbers of a batch's rows that backward is for
    # Numba's alone:
    INPUT = auto()  # what a row on images reads, with a border for a padded convolution
    BATCH_Y = auto()  # of rows behind images: y and dy of the whole batch
    BATCH_DY = auto()
    ORIGIN = auto()  # the first thread's weights
    SHOWN = auto()  # in the first row: the block whose images its places are of
    PLAN_COLUMNS = auto()  # how many there are


class Split(IntEnum):
    """How threads share a dense layer, or what the columns of another's output are.

    BY_SAMPLES is of all layers together: the threads share the batch's samples.
    """

    WHOLE = 0
    BY_OUTPUTS = auto()
    BY_INPUTS = auto()
    BY_SAMPLES = auto()


class LossKind(IntEnum):
    """Which loss. From SQUARED_ERROR to USER_LOSS it is a mean over all elements, not over rows."""

    HINGE = 0
    CROSS_ENTROPY = auto()
    NLL = auto()
    SQUARED_HINGE = auto()
    SOFT_CROSS_ENTROPY = auto()  # of probabilities
    SQUARED_ERROR = auto()
    ABSOLUTE_ERROR = auto()
    HUBER = auto()
    POISSON_NLL = auto()
    BCE_WITH_LOGITS = auto()
    USER_LOSS = auto()  # one that a user wrote


class OptimizerKind(IntEnum):
    """Which optimiser."""

    PLAIN = 0  # SGD without momentum and decay
    MOMENTUM = auto()
    NESTEROV = auto()
    ADAM = auto()
    ADAMW = auto()
    RMSPROP = auto()
    ADAGRAD = auto()
    NADAM = auto()
    GRADIENT = auto()  # takes no step, but sums the gradients


class Source(IntEnum):
    """What the data's elements are."""

    BYTES = 0
    FLOATS = auto()
    DOUBLES = auto()


class Choice(IntEnum):
    """A slot of a run's integer settings."""

    LOSS = 0
    THREADS = auto()
    BATCH = auto()
    SOURCE = auto()  # one of Source
    FEATURES = auto()
    SAMPLES_KEPT = auto()  # whose scores an epoch keeps: the next one's follow
    SPARSE = auto()  # whether blocks of zeros are left out of the data
    OPTIMIZER = auto()
    STEPS_BEFORE = auto()  # of earlier epochs
    SEGMENTS = auto()  # that exchanged sums are made of: at least as many as threads
    STATES = auto()  # vectors that the optimiser remembers
    SKIP = auto()  # whether samples without a gradient are left out of backward
    LOWEST = auto()  # the first row that takes steps: backward goes no further
    TRAINING = auto()  # whether rows behave as in training
    IN_COMMON = auto()  # whether threads gather a batch together, for all of them
    CODE = auto()  # from here on addresses of what users wrote: the loss, then two for each layer


class Setting(IntEnum):
    """A slot of a run's real settings: of the data, the loss and the optimiser."""

    SCALE = 0
    DIVISOR = auto()  # 0, or what data that are bytes are divided by instead
    LR = auto()
    MU = auto()  # momentum
    BETA1 = auto()
    BETA2 = auto()  # of the mean of squares; RMSprop's alpha
    EPSILON = auto()
    EPSILON_OUTSIDE = auto()  # 1 where Adam's correction leaves epsilon as it is
    DECAY = auto()
    LR_DECAY = auto()  # Adagrad's
    MU_DECAY = auto()  # of NAdam's momentum
    L2 = auto()  # of the penalty on weights; of this and the next two, 0 stands for none
    CLIP_VALUE = auto()  # what each number of a gradient is clipped to
    CLIP_NORM = auto()  # what the norm of all gradients is
    CLIP_EPSILON = auto()  # added to that norm
    VALUES = auto()  # from here on each layer's numbers, VALUE_COLUMNS of them; then the loss's


class Value(IntEnum):
    """A layer's own real number, by its place among its VALUE_COLUMNS."""

    ALPHA = 0  # ELU's
    NEGATIVE_SLOPE = auto()  # LeakyReLU's
    BETA = auto()  # Softplus's
    THRESHOLD = auto()  # the same's
    APPROXIMATE = auto()  # GELU's: 1 for tanh, 0 for erf
    P = auto()  # dropout's
    LR_FACTOR = auto()  # of its parameters' rate
    BIAS_LR_FACTOR = auto()  # of its bias's besides
    DECAYS = auto()  # 1 where weight decay shrinks its weights
    BIAS_DECAYS = auto()  # 1 where it shrinks its bias
    NORM_EPSILON = auto()  # a norm's, which is added to a variance
    SHARE = auto()  # a batch's in a running average; -1 for 1 / batches
    VALUE_COLUMNS = auto()  # how many there are


class Sync(IntEnum):
    """A word that the threads of a run share. The first two lie in cache lines of their own."""

    ARRIVALS = 0
    ROUNDS = 8
    GIVE_UP = 16  # set to 1, it ends every wait
    SPINS = auto()  # turns of waiting before a thread yields its processor
    TAKEN = auto()  # a bit for every processor with a thread
    SYNC_WORDS = 24  # how many there are


class Size(IntEnum):
    """Sizes that both sides must know."""

    BLOCK = 4  # inputs in a row: what sparse data are cut into
    BUNCH = 128  # samples of sparse data whose sums, for a panel, stay in the nearest cache
    SAMPLES = 16  # of images that are computed side by side
    MOST_PREDICTED = 128  # samples at a time, when scores are computed


ENUMS = (
    Kind,
    Column,
    PlanColumn,
    Split,
    LossKind,
    OptimizerKind,
    Source,
    Choice,
    Setting,
    Value,
    Sync,
    Size,
)


def is_elementwise(kind: int) -> bool:
    """Whether a row of this kind computes each column from the same column."""
    return Kind.RELU <= kind <= Kind.USER


def reads_input(kind: int) -> bool:
    """Whether an elementwise kind's derivative reads x beside y; else y's place may be x's."""
    return Kind.SILU <= kind <= Kind.USER


def is_norm(kind: int) -> bool:
    """Whether it is a row of normalization: rows on rows, with vectors for parameters."""
    return Kind.COLUMN_SCALE <= kind <= Kind.LAYER_NORM
