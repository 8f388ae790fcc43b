/* The way of a warm event from its log record to the queue, in C: what `EventPlatformHandler.handle` does most
   of the time.

   It queues the message of a record that carries an event as most do, and counts it. Whatever else comes, it
   leaves to Python, having changed nothing. From the first counter to the queue no other thread runs, and no
   signal handler; and it calls Python itself where something is left to do, as nobody could tell whether an event
   is queued from what a signal handler raises when this returns. */

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
enum part { SELECTED, CONFORM, WANTED, STATE, BOUND, LISTENER, QUEUE, APPEND, ACCEPTED, PENDING, BYTES,
            OTHERWISE, RAISED, PARTS };

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
    Py_ssize_t last_size; /* of a message, as it counts */
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
event_of(Intake *self, PyObject *attributes, int *own)
{
    int side_by_side = PyDict_Contains(attributes, names[SCHEMA]);
    if (side_by_side < 0) {
        return NULL;
    }
    *own = side_by_side;
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
    return PyTuple_Check(message) && PyTuple_GET_SIZE(message) == MESSAGE_LENGTH
           && PyBytes_Check(PyTuple_GET_ITEM(message, VALUE))
           && (PyTuple_GET_ITEM(message, KEY) == Py_None || PyBytes_Check(PyTuple_GET_ITEM(message, KEY)));
}

static PyObject *
message_of(Intake *self, PyObject *event, int own, PyObject *attributes)
{
    PyObject *created = item_of(attributes, CREATED), *bound = NULL, *message = NULL;
    if (created != NULL && PyContextVar_Get(self->parts[BOUND], NULL, &bound) == 0 && bound != NULL) {
        PyObject *arguments[] = {event, created, bound, own ? Py_True : Py_False};
        message = PyObject_Vectorcall(self->parts[CONFORM], arguments, 4, NULL);
    }
    Py_XDECREF(created);
    Py_XDECREF(bound);
    if (message == Py_None || message == Py_False) {
        Py_CLEAR(message);
    }
    if (message != NULL && !is_message(message)) {
        PyErr_SetString(PyExc_TypeError, "conform gives a message, False or None");
        Py_CLEAR(message);
    }
    return message;
}

static long long
moved(Intake *self, enum part counter, long long number)
{
    return counter_move((Counter *)self->parts[counter], number);
}

/* Whether there is no room for a message such as the last one: then it would be made here in vain. */
static int
is_full(Intake *self)
{
    return moved(self, PENDING, 0) >= self->most_messages
           || moved(self, BYTES, 0) + self->last_size > self->most_bytes;
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
    PyObject *key = PyTuple_GET_ITEM(message, KEY), *value = PyTuple_GET_ITEM(message, VALUE);
    return PyBytes_GET_SIZE(value) + (key == Py_None ? 0 : PyBytes_GET_SIZE(key)) + self->overhead;
}

/* What became of a record. */
enum outcome { LEFT_TO_PYTHON, QUEUED, NO_EVENT, RAISED_BEFORE };

static enum outcome
queue(Intake *self, PyObject *message)
{
    Py_ssize_t size = self->last_size = size_of(self, message);
    if (!takes_any(self) || PyErr_Occurred() || !take_room(self, size)) {
        return LEFT_TO_PYTHON;
    }
    moved(self, ACCEPTED, 1);
    PyObject *appended = PyObject_CallOneArg(self->parts[APPEND], message);
    if (appended == NULL) {
        moved(self, ACCEPTED, -1);
        moved(self, BYTES, -size);
        moved(self, PENDING, -1);
        return LEFT_TO_PYTHON;
    }
    Py_DECREF(appended);
    Py_ssize_t waiting = PyObject_Size(self->parts[QUEUE]);
    if ((waiting > self->crowded && waiting % self->yield_every == 0)
        || !is(self->parts[LISTENER], SLEEPING, Py_False)) {
        Py_XDECREF(PyObject_CallMethodNoArgs(self->parts[LISTENER], names[ATTEND]));
    }
    return QUEUED;
}

static enum outcome
taken(Intake *self, PyObject *attributes)
{
    if (may_be_own(PyDict_GetItemWithError(attributes, names[NAME])) || is_within(self) || is_full(self)) {
        return LEFT_TO_PYTHON;
    }
    int own = 0;
    PyObject *event = event_of(self, attributes, &own);
    if (event == NULL || event == Py_None) {
        Py_XDECREF(event);
        return event == NULL ? LEFT_TO_PYTHON : NO_EVENT;
    }
    PyObject *message = message_of(self, event, own, attributes);
    Py_DECREF(event);
    if (message == NULL) {
        return PyErr_Occurred() ? RAISED_BEFORE : LEFT_TO_PYTHON;
    }
    enum outcome outcome = queue(self, message);
    Py_DECREF(message);
    return outcome;
}

/* Takes the exception that was raised. */
static PyObject *
raised(void)
{
#if PY_VERSION_HEX >= 0x030C0000
    return PyErr_GetRaisedException();
#else
    PyObject *type, *error, *trace;
    PyErr_Fetch(&type, &error, &trace);
    PyErr_NormalizeException(&type, &error, &trace);
    if (trace != NULL) {
        PyException_SetTraceback(error, trace);
    }
    Py_XDECREF(type);
    Py_XDECREF(trace);
    return error;
#endif
}

static PyObject *
tell(Intake *self, PyObject *record, int is_queued)
{
    PyObject *error = raised();
    PyObject *done = PyObject_CallFunctionObjArgs(
        self->parts[RAISED], error, record, is_queued ? Py_True : Py_False, NULL);
    Py_XDECREF(error);
    Py_XDECREF(done);
    return done == NULL ? NULL : Py_NewRef(Py_True);
}

static PyObject *
handle(PyObject *object, PyObject *record)
{
    Intake *self = (Intake *)object;
    PyObject *attributes = attribute(record, DICT);
    enum outcome outcome = LEFT_TO_PYTHON;
    if (attributes != NULL && PyDict_CheckExact(attributes)) {
        outcome = taken(self, attributes);
    }
    Py_XDECREF(attributes);
    if (outcome == LEFT_TO_PYTHON && (!PyErr_Occurred() || PyErr_ExceptionMatches(PyExc_Exception))) {
        PyErr_Clear();
        return PyObject_CallOneArg(self->parts[OTHERWISE], record);
    }
    if (PyErr_Occurred()) {
        return tell(self, record, outcome == QUEUED);
    }
    return Py_NewRef(Py_True);
}

static PyObject *
make(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    static char *takes[] = {"selected", "conform", "wanted", "state", "bound", "listener", "queue", "accepted",
                            "pending", "pending_bytes", "otherwise", "raised", "pid", "most_messages",
                            "most_bytes", "overhead", "crowded", "yield_every", NULL};
    PyObject *parts[PARTS];
    long pid;
    Py_ssize_t most_messages, most_bytes, overhead, crowded, yield_every;
    if (!PyArg_ParseTupleAndKeywords(
            arguments, keywords, "OOO!OO!OOO!O!O!OOlnnnnn:Intake", takes, &parts[SELECTED], &parts[CONFORM],
            &PyDict_Type, &parts[WANTED], &parts[STATE], &PyContextVar_Type, &parts[BOUND], &parts[LISTENER],
            &parts[QUEUE], &counter_type, &parts[ACCEPTED], &counter_type, &parts[PENDING], &counter_type,
            &parts[BYTES], &parts[OTHERWISE], &parts[RAISED], &pid, &most_messages, &most_bytes, &overhead,
            &crowded, &yield_every)) {
        return NULL;
    }
    Intake *self = NULL;
    parts[APPEND] = PyObject_GetAttrString(parts[QUEUE], "append");
    if (parts[APPEND] != NULL && (self = (Intake *)holding(type, parts)) != NULL) {
        self->pid = pid;
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
    {"handle", handle, METH_O, "handle(record, /)\n--\n\nSee `EventPlatformHandler.handle`."},
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
