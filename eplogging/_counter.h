/* A part of `_intake.c`: see `metrics.PythonCounter`. The GIL lets no other thread come in between. */

typedef struct {
    PyObject_HEAD
    long long sum;
} Counter;

static long long
counter_move(Counter *self, long long number)
{
    self->sum += number;
    if (self->sum < 0) {
        self->sum = 0;
    }
    return self->sum;
}

static PyObject *
counter_add(PyObject *object, PyObject *number)
{
    long long by = PyLong_AsLongLong(number);
    return PyErr_Occurred() ? NULL : PyLong_FromLongLong(counter_move((Counter *)object, by));
}

static PyObject *
counter_value(PyObject *object, void *Py_UNUSED(closure))
{
    return PyLong_FromLongLong(((Counter *)object)->sum);
}

static PyMethodDef counter_methods[] = {
    {"add", counter_add, METH_O, "add(number, /)\n--\n\nAdds a number, and returns the new sum."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef counter_members[] = {
    {"value", counter_value, NULL, "The sum.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyTypeObject counter_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "eplogging._intake.Counter",
    .tp_doc = "A sum that any thread may add to without a lock.",
    .tp_basicsize = sizeof(Counter),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = PyType_GenericNew,
    .tp_methods = counter_methods,
    .tp_getset = counter_members,
};
