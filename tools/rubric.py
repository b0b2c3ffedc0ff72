"""What a full answer to each written question contains, with marks: for whoever marks the answers.

The reference answers in the notebook say the same in full sentences. Students must not get this
file: it is no part of their zip.
"""

RUBRIC = {  # by the number of the question
    "2.1.1": ("1: 2Vd + 2V, or the equal 2V(d + 1), with a reason",),
    "2.1.2": (
        "2: the residual of every pair in which word i is the first: a sum over j, factor 2",
        "1: each term times the vector of the other word",
        "2: for the second vectors the sum over the first index, so X_ji and not X_ij",
        "1: the steps from the loss to both, with the other parameters' subscripts right",
    ),
    "2.1.4": (
        "1: the best d of each model, read from the student's own run",
        "1: why more dimensions need not help: they fit the counts of the training windows closer "
        "than the validation windows repeat them, or the counts leave nothing more to fit",
        "1: which model is better, and why: word order makes the matrix unsymmetric, which the "
        "symmetric model cannot represent, whatever its d (that W W^T has no negative eigenvalues "
        "is the smaller part of its loss, and need not be named)",
    ),
    "2.3": (
        "2: clusters in the map of the masked model, and what their words have in common",
        "2: how the map of GLoVe compares, with an example",
        "2: how the plain two-dimensional plot compares, with a reason: two dimensions that were "
        "trained for the loss, against neighbourhoods of sixteen",
        "2: the plots are there, and the answers keep to about two sentences each",
    ),
}
