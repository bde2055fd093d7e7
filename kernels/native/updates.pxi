# The kernels of optimisers: a part of _cython.pyx, whose imports it uses. Cores in updates.pxd.


def sgd_step(const real[::1] grads, double lr, real[::1] params):
    """params = params - lr * grads"""
    with nogil:
        updates.sgd[real](&grads[0], <real> lr, &params[0], params.shape[0])


def momentum_step(const real[::1] grads, double lr, double momentum, double decay,
                  real[::1] params, real[::1] v):
    """v = momentum * v + g; params = params - lr * v, with g = grads + decay * params"""
    with nogil:
        updates.momentum[real](&grads[0], <real> lr, <real> momentum, <real> decay,
                               &params[0], &v[0], params.shape[0])


def nesterov_step(const real[::1] grads, double lr, double momentum, double decay,
                  real[::1] params, real[::1] v):
    """v = momentum * v + g; params = params - lr * (g + momentum * v), g as in momentum_step"""
    with nogil:
        updates.nesterov[real](&grads[0], <real> lr, <real> momentum, <real> decay,
                               &params[0], &v[0], params.shape[0])


def adam_step(const real[::1] grads, double lr, double beta1, double beta2, double epsilon,
              double decay, double step, real[::1] params, real[::1] m, real[::1] v):
    """Adam: params = params - lr * m' / (sqrt(v') + epsilon), m' and v' corrected for step"""
    with nogil:
        updates.adam[real](
            &grads[0], <real> lr, <real> beta1, <real> beta2, <real> (1 - beta1),
            <real> (1 - beta2), <real> epsilon, <real> decay,
            <real> updates.correction(beta1, step), <real> updates.correction(beta2, step),
            &params[0], &m[0], &v[0], params.shape[0])


def adamw_step(const real[::1] grads, double lr, double beta1, double beta2, double epsilon,
               double decay, double step, real[::1] params, real[::1] m, real[::1] v):
    """AdamW: params = params * (1 - lr * decay), then adam_step without decay"""
    with nogil:
        updates.adamw[real](
            &grads[0], <real> lr, <real> beta1, <real> beta2, <real> (1 - beta1),
            <real> (1 - beta2), <real> epsilon, <real> decay,
            <real> updates.correction(beta1, step), <real> updates.correction(beta2, step),
            &params[0], &m[0], &v[0], params.shape[0])


def rmsprop_step(const real[::1] grads, double lr, double alpha, double epsilon, double momentum,
                 double decay, real[::1] params, real[::1] m, real[::1] v):
    """RMSprop: params = params - lr * m, m = momentum * m + g / (sqrt(v) + epsilon), v by alpha"""
    with nogil:
        updates.rmsprop[real](
            &grads[0], <real> lr, <real> alpha, <real> (1 - alpha), <real> epsilon,
            <real> momentum, <real> decay, &params[0], &m[0], &v[0], params.shape[0])


def adagrad_step(const real[::1] grads, double lr, double lr_decay, double epsilon, double decay,
                 double step, real[::1] params, real[::1] v):
    """v += g**2; params = params - lr / (1 + (step - 1) * lr_decay) * g / (sqrt(v) + epsilon)"""
    with nogil:
        updates.adagrad[real](&grads[0], <real> updates.decayed(lr, lr_decay, step),
                              <real> epsilon, <real> decay, &params[0], &v[0], params.shape[0])


def nadam_step(const real[::1] grads, double lr, double beta1, double beta2, double epsilon,
               double decay, double mu_decay, double step, real[::1] params, real[::1] m,
               real[::1] v):
    """NAdam: adam_step with Nesterov's momentum, beta1 * (1 - 0.96**(step * mu_decay) / 2)"""
    cdef updates.Rates rates = updates.nadam_rates(lr, beta1, mu_decay, step)
    with nogil:
        updates.nadam[real](
            &grads[0], <real> rates.gradient, <real> rates.mean, <real> beta1, <real> beta2,
            <real> (1 - beta1), <real> (1 - beta2), <real> epsilon, <real> decay,
            <real> updates.correction(beta2, step), &params[0], &m[0], &v[0], params.shape[0])
