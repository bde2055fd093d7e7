"""numbers.py for C: the same names and values, whose meanings stand there; a test compares them.

The enums have no names, because Cython takes no member of one that has for an index.
"""

cdef enum:  # Kind
    DENSE
    RELU
    ELU
    TANH
    SIGMOID
    LEAKY_RELU
    SELU
    SILU
    MISH
    SOFTPLUS
    GELU
    USER
    LOG_SOFTMAX
    DROPOUT
    COLUMN_SCALE
    STANDARDIZE
    BATCH_NORM
    LAYER_NORM
    CONV
    MAX_POOL
    AVG_POOL
    FLATTEN
    FORK
    ADD

cdef enum:  # Column
    KIND
    INPUTS
    OUTPUTS
    PARAMS
    CHANNELS
    HEIGHT
    IMAGE_WIDTH
    OUT_CHANNELS
    OUT_HEIGHT
    OUT_IMAGE_WIDTH
    KERNEL
    STRIDE = KERNEL + 2
    PADDING = STRIDE + 2
    GROUPS = PADDING + 2
    BIAS
    SEED
    MASKS
    PARTNER
    FROZEN
    VECTOR
    PARAM_VECTORS
    FIRST_BUFFER
    BUFFERS
    BATCHES
    COLUMNS

cdef enum:  # PlanColumn
    SPLIT
    WIDTH
    Y
    DY
    W
    M
    V
    BUFFER
    X
    X_STRIDE
    SUMS
    LOSSES
    PARTS
    STATISTICS
    STEP
    SQUARES
    Y_ROW
    EXCHANGE
    PRIVATE
    BLOCK_STRIDE
    PADDED
    IMAGES
    PARITY
    ACTIVE
    INPUT
    BATCH_Y
    BATCH_DY
    ORIGIN
    SHOWN
    PLAN_COLUMNS

cdef enum:  # Split
    WHOLE
    BY_OUTPUTS
    BY_INPUTS
    BY_SAMPLES

cdef enum:  # LossKind
    HINGE
    CROSS_ENTROPY
    NLL
    SQUARED_HINGE
    SOFT_CROSS_ENTROPY
    SQUARED_ERROR
    ABSOLUTE_ERROR
    HUBER
    POISSON_NLL
    BCE_WITH_LOGITS
    USER_LOSS

cdef enum:  # OptimizerKind
    PLAIN
    MOMENTUM
    NESTEROV
    ADAM
    ADAMW
    RMSPROP
    ADAGRAD
    NADAM
    GRADIENT

cdef enum:  # Source
    BYTES
    FLOATS
    DOUBLES

cdef enum:  # Choice
    LOSS
    THREADS
    BATCH
    SOURCE
    FEATURES
    SAMPLES_KEPT
    SPARSE
    OPTIMIZER
    STEPS_BEFORE
    SEGMENTS
    STATES
    SKIP
    LOWEST
    TRAINING
    IN_COMMON
    CODE

cdef enum:  # Setting
    SCALE
    DIVISOR
    LR
    MU
    BETA1
    BETA2
    EPSILON
    EPSILON_OUTSIDE
    DECAY
    LR_DECAY
    MU_DECAY
    L2
    CLIP_VALUE
    CLIP_NORM
    CLIP_EPSILON
    VALUES

cdef enum:  # Value
    ALPHA
    NEGATIVE_SLOPE
    BETA
    THRESHOLD
    APPROXIMATE
    P
    LR_FACTOR
    BIAS_LR_FACTOR
    DECAYS
    BIAS_DECAYS
    NORM_EPSILON
    SHARE
    VALUE_COLUMNS

cdef enum:  # Sync
    ARRIVALS
    ROUNDS = 8
    GIVE_UP = 16
    SPINS
    TAKEN
    SYNC_WORDS = 24

cdef enum:  # Size
    BLOCK = 4
    BUNCH = 128
    SAMPLES = 16
    MOST_PREDICTED = 128
