/* Delivery reports of messages that were delivered, added up in C: confluent-kafka calls back for each. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <structmember.h>

/* `marks` is replaced by whoever reads it. */
enum part { OTHERWISE, MARKS, PARTS };

#include "../_parts.h"

typedef struct {
    PyObject_HEAD
    PyObject *parts[PARTS]; /* so far a Holder */
    long long count, size, barrier, left_before;
} Tally;

/* What confluent-kafka calls for one message. It holds nothing that could hold it. */
typedef struct {
    PyObject_HEAD
    Tally *tally;
    PyObject *mark, *stream;
    long long number, size;
} Report;

static PyObject *
report_call(PyObject *object, PyObject *arguments, PyObject *Py_UNUSED(keywords))
{
    Report *self = (Report *)object;
    Tally *tally = self->tally;
    PyObject *error, *message;
    if (!PyArg_UnpackTuple(arguments, "report", 2, 2, &error, &message)) {
        return NULL;
    }
    if (error != Py_None) {
        PyObject *number = PyLong_FromLongLong(self->number), *result = NULL;
        if (number != NULL) {
            result = PyObject_CallFunctionObjArgs(
                tally->parts[OTHERWISE], number, self->mark, self->stream, error, message, NULL);
        }
        Py_XDECREF(number);
        return result;
    }
    if (self->mark != Py_None && PyList_Append(tally->parts[MARKS], self->mark) < 0) {
        return NULL;
    }
    tally->count++;
    tally->size += self->size;
    tally->left_before -= self->number < tally->barrier;
    Py_RETURN_NONE;
}

static void
report_dealloc(PyObject *object)
{
    Report *self = (Report *)object;
    Py_XDECREF(self->tally);
    Py_XDECREF(self->mark);
    Py_XDECREF(self->stream);
    Py_TYPE(object)->tp_free(object);
}

static PyTypeObject report_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "eplogging.sinks._tally.Report",
    .tp_basicsize = sizeof(Report),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_call = report_call,
    .tp_dealloc = report_dealloc,
};

static PyObject *
report(PyObject *object, PyObject *const *arguments, Py_ssize_t count)
{
    if (count != 4) {
        PyErr_SetString(PyExc_TypeError, "report takes number, mark, stream and size");
        return NULL;
    }
    long long number = PyLong_AsLongLong(arguments[0]), size = PyLong_AsLongLong(arguments[3]);
    if (PyErr_Occurred()) {
        return NULL;
    }
    Report *made = PyObject_New(Report, &report_type);
    if (made != NULL) {
        made->tally = (Tally *)Py_NewRef(object);
        made->mark = Py_NewRef(arguments[1]);
        made->stream = Py_NewRef(arguments[2]);
        made->number = number;
        made->size = size;
    }
    return (PyObject *)made;
}

static PyObject *
make(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    static char *takes[] = {"otherwise", NULL};
    PyObject *parts[PARTS] = {NULL, PyList_New(0)}, *made = NULL;
    if (parts[MARKS] != NULL
        && PyArg_ParseTupleAndKeywords(arguments, keywords, "O:Tally", takes, &parts[OTHERWISE])) {
        made = holding(type, parts);
    }
    Py_XDECREF(parts[MARKS]);
    return made;
}

static PyObject *
take(PyObject *object, PyObject *Py_UNUSED(none))
{
    Tally *self = (Tally *)object;
    PyObject *empty = PyList_New(0), *taken = NULL;
    if (empty != NULL) {
        taken = Py_BuildValue("LLO", self->count, self->size, self->parts[MARKS]);
    }
    if (taken == NULL) {
        Py_XDECREF(empty);
        return NULL;
    }
    Py_SETREF(self->parts[MARKS], empty);
    self->count = self->size = 0;
    return taken;
}

static PyMethodDef methods[] = {
    {"report", (PyCFunction)(void (*)(void))report, METH_FASTCALL,
     "report(number, mark, stream, size, /)\n--\n\nWhat is to be called with a message's delivery report."},
    {"take", take, METH_NOARGS, "take()\n--\n\nWhat has come since it was asked last: (count, size, marks)."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef members[] = {
    {"count", T_LONGLONG, offsetof(Tally, count), READONLY, NULL},
    {"barrier", T_LONGLONG, offsetof(Tally, barrier), 0, NULL},
    {"left_before", T_LONGLONG, offsetof(Tally, left_before), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyTypeObject tally_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "eplogging.sinks._tally.Tally",
    .tp_doc = "See `tally.PythonTally`.",
    .tp_basicsize = sizeof(Tally),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_new = make,
    .tp_traverse = traverse,
    .tp_clear = clear,
    .tp_dealloc = dealloc,
    .tp_methods = methods,
    .tp_members = members,
};

static PyModuleDef module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "eplogging.sinks._tally",
    .m_doc = "Delivery reports, added up in C.",
    .m_size = -1,
};

PyMODINIT_FUNC
PyInit__tally(void)
{
    return PyType_Ready(&report_type) < 0 ? NULL : module_with(&module, &tally_type, "Tally");
}
