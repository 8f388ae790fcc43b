/* The way of a warm event from its log record to the queue, in C: what `EventPlatformHandler.handle` does most
   of the time.

   It queues the message of a record that carries an event as most do, and counts it. Whatever else comes, it
   declines, and has changed nothing; the Python code beside it then handles the record from the start. From the
   first counter to the queue no other thread runs, and no signal handler. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <unistd.h>

enum name {
    SCHEMA, EVENT, MSG, NAME, CREATED, DICT, DEPTH, FINISHED, SLEEPING, THREAD, ATTEND, NAMES
};

static const char *const spelled[NAMES] = {
    "$schema", "event", "msg", "name", "created", "__dict__", "depth", "_finished", "_sleeping", "_thread",
    "attend"
};

/* What an Intake is made of, in the order of its arguments. */
enum part { SELECTED, CONFORM, WANTED, STATE, BOUND, LISTENER, QUEUE, APPEND, ACCEPTED, PENDING, BYTES, PARTS };

#include "_names.h"
#include "_parts.h"
#include "_counter.h"

#define OWN "eplogging"
#define OWN_LENGTH 9

typedef struct {
    PyObject_HEAD
    PyObject *parts[PARTS]; /* so far a Holder */
    long pid;
    Py_ssize_t crowded, yield_every, most_messages, most_bytes, overhead;
} Intake;

static int
is(PyObject *object, enum name name, PyObject *value)
{
    PyObject *found = attribute(object, name);
    Py_XDECREF(found);
    return found == value;
}

/* Whether a logger's name is one that eplogging's own doings may have. */
static int
may_be_own(PyObject *name)
{
    if (name == NULL || !PyUnicode_CheckExact(name) || !PyUnicode_IS_COMPACT_ASCII(name)) {
        return 1;
    }
    return PyUnicode_GET_LENGTH(name) >= OWN_LENGTH
           && memcmp(PyUnicode_1BYTE_DATA(name), OWN, OWN_LENGTH) == 0;
}

/* Whether the thread is in the midst of handling an event, or an own one. */
static int
is_within(Intake *self)
{
    PyObject *depth = attribute(self->parts[STATE], DEPTH);
    int within = depth == NULL || !PyLong_CheckExact(depth) || PyLong_AsLong(depth) != 0;
    Py_XDECREF(depth);
    return within;
}

static int
names_schema(PyObject *event)
{
    return event != NULL && PyDict_CheckExact(event) && PyDict_Contains(event, names[SCHEMA]) == 1;
}

/* See `EventFormatter.event`: the event, or None where there is none, or NULL where Python must look.
   `own`: whether it is nobody else's. */
static PyObject *
event_of(Intake *self, PyObject *attributes, PyObject **own)
{
    int side_by_side = PyDict_Contains(attributes, names[SCHEMA]);
    if (side_by_side < 0) {
        return NULL;
    }
    *own = side_by_side ? Py_True : Py_False;
    if (side_by_side) {
        PyObject *arguments[] = {attributes, self->parts[WANTED]};
        PyObject *event = PyObject_Vectorcall(self->parts[SELECTED], arguments, 2, NULL);
        if (event == Py_None) {
            Py_CLEAR(event);
        }
        return event;
    }
    PyObject *whole = item_of(attributes, EVENT);
    if (whole != NULL) {
        if (!names_schema(whole)) {
            Py_CLEAR(whole);
        }
        return whole;
    }
    PyObject *message = item_of(attributes, MSG);
    int is_text = message != NULL && PyUnicode_CheckExact(message);
    Py_XDECREF(message);
    return is_text ? Py_NewRef(Py_None) : NULL;
}

/* Whether its key and value, of which the size is taken, stand where `message.Message` has them. */
static int
is_message(PyObject *message)
{
    return PyTuple_Check(message) && PyTuple_GET_SIZE(message) == 5 && PyBytes_Check(PyTuple_GET_ITEM(message, 2))
           && (PyTuple_GET_ITEM(message, 1) == Py_None || PyBytes_Check(PyTuple_GET_ITEM(message, 1)));
}

static PyObject *
message_of(Intake *self, PyObject *event, PyObject *own, PyObject *attributes)
{
    PyObject *created = item_of(attributes, CREATED), *bound = NULL, *message = NULL;
    if (created != NULL && PyContextVar_Get(self->parts[BOUND], NULL, &bound) == 0 && bound != NULL) {
        PyObject *arguments[] = {event, created, bound, own};
        message = PyObject_Vectorcall(self->parts[CONFORM], arguments, 4, NULL);
    }
    Py_XDECREF(created);
    Py_XDECREF(bound);
    if (message == Py_None) {
        Py_CLEAR(message);
    }
    if (message != NULL && !is_message(message)) {
        PyErr_SetString(PyExc_TypeError, "conform gives a message or None");
        Py_CLEAR(message);
    }
    return message;
}

static long long
moved(Intake *self, enum part counter, long long number)
{
    return counter_move((Counter *)self->parts[counter], number);
}

/* See `Budget.take`. */
static int
take_room(Intake *self, Py_ssize_t size)
{
    if (moved(self, PENDING, 1) <= self->most_messages) {
        if (moved(self, BYTES, size) <= self->most_bytes) {
            return 1;
        }
        moved(self, BYTES, -size);
    }
    moved(self, PENDING, -1);
    return 0;
}

static int
takes_any(Intake *self)
{
    PyObject *listener = self->parts[LISTENER];
    return is(listener, FINISHED, Py_False) && !is(listener, THREAD, Py_None) && getpid() == self->pid;
}

static Py_ssize_t
size_of(Intake *self, PyObject *message)
{
    PyObject *key = PyTuple_GET_ITEM(message, 1), *value = PyTuple_GET_ITEM(message, 2);
    return PyBytes_GET_SIZE(value) + (key == Py_None ? 0 : PyBytes_GET_SIZE(key)) + self->overhead;
}

/* Queues a message; whether it did: 1, 0 or, with an exception, -1. */
static int
queue(Intake *self, PyObject *message)
{
    Py_ssize_t size = size_of(self, message);
    if (!takes_any(self) || PyErr_Occurred() || !take_room(self, size)) {
        return 0;
    }
    moved(self, ACCEPTED, 1);
    PyObject *appended = PyObject_CallOneArg(self->parts[APPEND], message);
    if (appended == NULL) {
        moved(self, ACCEPTED, -1);
        moved(self, BYTES, -size);
        moved(self, PENDING, -1);
        return 0;
    }
    Py_DECREF(appended);
    Py_ssize_t waiting = PyObject_Size(self->parts[QUEUE]);
    if ((waiting > self->crowded && waiting % self->yield_every == 0)
        || !is(self->parts[LISTENER], SLEEPING, Py_False)) {
        PyObject *done = PyObject_CallMethodNoArgs(self->parts[LISTENER], names[ATTEND]);
        Py_XDECREF(done);
        return done == NULL ? -1 : 1;
    }
    return 1;
}

/* Whether nothing is left to do: 1, 0 or, where that can not be said of what was raised, -1. */
static int
taken(Intake *self, PyObject *attributes)
{
    if (may_be_own(PyDict_GetItemWithError(attributes, names[NAME])) || is_within(self)) {
        return 0;
    }
    PyObject *own, *event = event_of(self, attributes, &own);
    if (event == NULL || event == Py_None) {
        Py_XDECREF(event);
        return event != NULL;
    }
    PyObject *message = message_of(self, event, own, attributes);
    Py_DECREF(event);
    int done = message == NULL ? (PyErr_Occurred() ? -1 : 0) : queue(self, message);
    Py_XDECREF(message);
    return done;
}

static PyObject *
take(PyObject *object, PyObject *record)
{
    PyObject *attributes = attribute(record, DICT);
    int done = attributes == NULL || !PyDict_CheckExact(attributes) ? 0 : taken((Intake *)object, attributes);
    Py_XDECREF(attributes);
    if (done < 0 || (PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_Exception))) {
        return NULL;
    }
    PyErr_Clear();
    return PyBool_FromLong(done);
}

static PyObject *
make(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    static char *takes[] = {"selected", "conform", "wanted", "state", "bound", "listener", "queue", "accepted",
                            "pending", "pending_bytes", "most_messages", "most_bytes", "overhead", "crowded",
                            "yield_every", NULL};
    PyObject *parts[PARTS];
    Py_ssize_t most_messages, most_bytes, overhead, crowded, yield_every;
    if (!PyArg_ParseTupleAndKeywords(
            arguments, keywords, "OOO!OO!OOO!O!O!nnnnn:Intake", takes, &parts[SELECTED], &parts[CONFORM],
            &PyDict_Type, &parts[WANTED], &parts[STATE], &PyContextVar_Type, &parts[BOUND], &parts[LISTENER],
            &parts[QUEUE], &counter_type, &parts[ACCEPTED], &counter_type, &parts[PENDING], &counter_type,
            &parts[BYTES], &most_messages, &most_bytes, &overhead, &crowded, &yield_every)) {
        return NULL;
    }
    Intake *self = NULL;
    parts[APPEND] = PyObject_GetAttrString(parts[QUEUE], "append");
    if (parts[APPEND] != NULL && (self = (Intake *)holding(type, parts)) != NULL) {
        self->pid = (long)getpid();
        self->most_messages = most_messages;
        self->most_bytes = most_bytes;
        self->overhead = overhead;
        self->crowded = crowded;
        self->yield_every = yield_every;
    }
    Py_XDECREF(parts[APPEND]);
    return (PyObject *)self;
}

static PyMethodDef methods[] = {
    {"take", take, METH_O, "take(record, /)\n--\n\nWhether nothing is left to do with a log record."},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject intake = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "eplogging._intake.Intake",
    .tp_doc = "Queues messages of log records that carry an event as most do.",
    .tp_basicsize = sizeof(Intake),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_new = make,
    .tp_traverse = traverse,
    .tp_clear = clear,
    .tp_dealloc = dealloc,
    .tp_methods = methods,
};

static PyModuleDef module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "eplogging._intake",
    .m_doc = "The way of a warm event from its log record to the queue, in C.",
    .m_size = -1,
};

PyMODINIT_FUNC
PyInit__intake(void)
{
    if (intern_names() < 0 || PyType_Ready(&counter_type) < 0) {
        return NULL;
    }
    PyObject *made = module_with(&module, &intake, "Intake");
    if (made != NULL && PyModule_AddObjectRef(made, "Counter", (PyObject *)&counter_type) < 0) {
        Py_CLEAR(made);
    }
    return made;
}
