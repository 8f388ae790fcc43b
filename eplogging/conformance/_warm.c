/* The warm path of `Conformer.conform`, in C, so that an event costs little more than its validation.

   It makes the message of an event that is as most are: a plain dict whose schema and stream are known, valid,
   and written alike by every encoder. Whatever else comes, it declines, and changes nothing; the Python code
   beside it then judges the event from the start. So only what is fast stands here twice, no error and no
   look-up does. Other threads may run where it calls a function written in Python, or where the collector does. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <string.h>

enum name { SCHEMA, META, STREAM, ID, DT, RESOLVED, CLOCK, NAMES };

static const char *const spelled[NAMES] = {"$schema", "meta", "stream", "id", "dt", "_resolved", "clock"};

/* The NamedTuples `schemas.Schema`, `fields.FieldRules` and `settings.Stream`. */
enum schema { SCHEMA_TITLE, RULES, VOUCHES, FILL_DEFAULTS, COMPILED, SCHEMA_LENGTH };
enum rules { MAY_DT, MAY_META_DT, MAY_META_ID, DECLARES, RULES_LENGTH };
enum stream { NAME, STREAM_TITLE, KEY_FIELDS, TOPIC, ERROR, STREAM_LENGTH };

/* What a WarmPath is made of, in the order of its arguments. */
enum part { SCHEMAS, STREAMS, MESSAGE, DUMPS, OPTION, INSTANTS, IDS, NEW_ID, ISOFORMAT, PARSE, MERGE, INSTANT_AT, JUDGEMENTS, PARTS };

#include "../_names.h"
#include "../_parts.h"

#define FIELD(tuple, place) PyTuple_GET_ITEM(tuple, place)
#define SECOND_LENGTH 19 /* 2026-01-01T00:00:00 */
#define TEXT_LENGTH 24   /* 2026-01-01T00:00:00.000Z */
#define NO_INSTANT (-1)  /* as all before 1970: Kafka has no timestamp for them */

typedef struct {
    PyObject_HEAD
    PyObject *parts[PARTS]; /* so far a Holder */
    Py_ssize_t most_bytes; /* of key and value together */
    long long most_ahead;  /* milliseconds */
    long long second;      /* whose text is kept */
    char text[SECOND_LENGTH];
} WarmPath;

static int
has_length(PyObject *tuple, Py_ssize_t length)
{
    return tuple != NULL && PyTuple_Check(tuple) && PyTuple_GET_SIZE(tuple) == length;
}

/* A text that is not empty, and of no subclass. */
static PyObject *
text_of(PyObject *dict, enum name name)
{
    PyObject *text = item_of(dict, name);
    if (text != NULL && PyUnicode_CheckExact(text) && PyUnicode_GET_LENGTH(text) > 0) {
        return text;
    }
    Py_XDECREF(text);
    return NULL;
}

#include "_filling.h"

static PyObject *
written(WarmPath *self, PyObject *value)
{
    PyObject *arguments[] = {value, Py_None, self->parts[OPTION]};
    return PyObject_Vectorcall(self->parts[DUMPS], arguments, 3, NULL);
}

/* The event's bytes, if it is valid and they are what every encoder writes. */
static PyObject *
vouched_bytes(WarmPath *self, PyObject *event, PyObject *vouches)
{
    /* Written first, as that bounds the depth that the validator walks through. */
    PyObject *value = written(self, event);
    PyObject *good = value == NULL ? NULL : PyObject_CallOneArg(vouches, event);
    Py_XDECREF(good);
    if (good != Py_True || !PyBytes_CheckExact(value)) {
        Py_CLEAR(value);
    }
    return value;
}

/* The value at a path of names. */
static PyObject *
value_at(PyObject *event, PyObject *path)
{
    PyObject *value = Py_NewRef(event);
    for (Py_ssize_t i = 0; value != NULL && i < PyTuple_GET_SIZE(path); i++) {
        PyObject *inner = NULL;
        if (PyDict_CheckExact(value)) {
            inner = Py_XNewRef(PyDict_GetItemWithError(value, PyTuple_GET_ITEM(path, i)));
        }
        Py_SETREF(value, inner);
    }
    return value;
}

/* See `message_key`: bytes, or None where the stream has no `message_key_fields`. */
static PyObject *
message_key(WarmPath *self, PyObject *event, PyObject *stream)
{
    PyObject *fields = FIELD(stream, KEY_FIELDS), *key, *bytes = NULL;
    if (!PyTuple_CheckExact(fields)) {
        return NULL;
    }
    if (PyTuple_GET_SIZE(fields) == 0) {
        return Py_NewRef(Py_None);
    }
    key = PyDict_New();
    for (Py_ssize_t i = 0; key != NULL && i < PyTuple_GET_SIZE(fields); i++) {
        PyObject *field = PyTuple_GET_ITEM(fields, i);
        PyObject *value = value_at(event, PyTuple_GET_ITEM(field, 1));
        int failed = value == NULL || PyDict_SetItem(key, PyTuple_GET_ITEM(field, 0), value) < 0;
        Py_XDECREF(value);
        if (failed) {
            goto done;
        }
    }
    bytes = key == NULL ? NULL : written(self, key);
done:
    Py_XDECREF(key);
    return bytes;
}

static int
fits(WarmPath *self, PyObject *value, PyObject *key)
{
    Py_ssize_t size = PyBytes_GET_SIZE(value);
    if (key != Py_None) {
        if (!PyBytes_CheckExact(key)) {
            return 0;
        }
        size += PyBytes_GET_SIZE(key);
    }
    return size <= self->most_bytes;
}

/* See `Conformer._timestamp`. */
static PyObject *
timestamp(WarmPath *self, PyObject *event, long long now, long long meta_dt)
{
    long long instant = meta_dt;
    if (self->parts[INSTANT_AT] != Py_None) { /* `dt_field` is another */
        PyObject *found = PyObject_CallOneArg(self->parts[INSTANT_AT], event);
        if (found == NULL) {
            return NULL;
        }
        instant = found == Py_None ? NO_INSTANT : PyLong_AsLongLong(found);
        Py_DECREF(found);
        if (PyErr_Occurred()) {
            return NULL;
        }
    }
    return PyLong_FromLongLong(instant < 0 || instant > now + self->most_ahead ? now : instant);
}

/* Made as its own constructor would. Takes over `key`, `value` and `when`. */
static PyObject *
message_of(WarmPath *self, PyObject *stream, PyObject *key, PyObject *value, PyObject *when)
{
    PyTypeObject *type = (PyTypeObject *)self->parts[MESSAGE];
    PyObject *message = when == NULL ? NULL : type->tp_alloc(type, MESSAGE_LENGTH);
    if (message == NULL) {
        Py_XDECREF(when);
        Py_DECREF(key);
        Py_DECREF(value);
        return NULL;
    }
    PyTuple_SET_ITEM(message, MESSAGE_TOPIC, Py_NewRef(FIELD(stream, TOPIC)));
    PyTuple_SET_ITEM(message, KEY, key);
    PyTuple_SET_ITEM(message, VALUE, value);
    PyTuple_SET_ITEM(message, TIMESTAMP, when);
    PyTuple_SET_ITEM(message, MESSAGE_STREAM, Py_NewRef(FIELD(stream, NAME)));
#if PY_VERSION_HEX >= 0x030E0000
    ((PyTupleObject *)message)->ob_hash = -1; /* not computed yet */
#endif
    PyObject_GC_UnTrack(message); /* nothing in it can hold it: the collector need not look at each that waits */
    return message;
}

/* From the copies of an event and its `meta` to its message. `judged`: whether the validator was asked. */
static PyObject *
conform_copy(WarmPath *self, PyObject *copy, PyObject *meta, PyObject *schema, PyObject *stream,
             PyObject *event_time, PyObject *bound, int *judged)
{
    PyObject *rules = FIELD(schema, RULES), *vouches = FIELD(schema, VOUCHES);
    PyObject *defaults = FIELD(schema, FILL_DEFAULTS), *event, *value, *key, *message = NULL;
    long long now = now_in_milliseconds(self), meta_dt = NO_INSTANT;
    if (now <= 0 || vouches == Py_None || !has_length(rules, RULES_LENGTH)
        || fill(self, copy, meta, rules, event_time, now, &meta_dt) < 0
        || merge_bound(self, copy, bound, rules) < 0) {
        return NULL;
    }
    event = defaults == Py_None ? Py_NewRef(copy) : PyObject_CallOneArg(defaults, copy);
    *judged = event != NULL;
    value = event == NULL ? NULL : vouched_bytes(self, event, vouches);
    key = value == NULL ? NULL : message_key(self, event, stream);
    if (key != NULL && fits(self, value, key)) {
        message = message_of(self, stream, key, value, timestamp(self, event, now, meta_dt));
    }
    else {
        Py_XDECREF(key);
        Py_XDECREF(value);
    }
    Py_XDECREF(event);
    return message;
}

/* The cached settings of the stream that `meta` names, if something can be sent to it. */
static PyObject *
stream_of(WarmPath *self, PyObject *meta)
{
    PyObject *name = text_of(meta, STREAM), *resolved = attribute(self->parts[STREAMS], RESOLVED);
    PyObject *stream = NULL;
    if (name != NULL && resolved != NULL && PyDict_CheckExact(resolved)) {
        stream = Py_XNewRef(PyDict_GetItemWithError(resolved, name));
    }
    if (!has_length(stream, STREAM_LENGTH) || FIELD(stream, ERROR) != Py_None) {
        Py_CLEAR(stream);
    }
    Py_XDECREF(name);
    Py_XDECREF(resolved);
    return stream;
}

static int
have_one_title(PyObject *schema, PyObject *stream)
{
    PyObject *has = FIELD(schema, SCHEMA_TITLE), *allowed = FIELD(stream, STREAM_TITLE);
    return has == allowed || (PyUnicode_CheckExact(has) && PyUnicode_CheckExact(allowed)
                              && PyUnicode_Compare(has, allowed) == 0);
}

/* The message; or NULL, with an exception or without: then the event is declined.
   Where the event is the caller's `own` to change, it needs no copy. */
static PyObject *
conformed(WarmPath *self, PyObject *event, PyObject *event_time, PyObject *bound, int own, int *judged)
{
    if (!PyDict_CheckExact(event)) {
        return NULL;
    }
    PyObject *uri = text_of(event, SCHEMA), *meta = item_of(event, META);
    PyObject *schema = NULL, *stream = NULL, *copy = NULL, *message = NULL;
    if (uri == NULL || meta == NULL || !PyDict_CheckExact(meta)) {
        goto done;
    }
    schema = Py_XNewRef(PyDict_GetItemWithError(self->parts[SCHEMAS], uri));
    stream = has_length(schema, SCHEMA_LENGTH) ? stream_of(self, meta) : NULL;
    if (stream == NULL || !have_one_title(schema, stream)) {
        goto done;
    }
    Py_SETREF(meta, PyDict_Copy(meta));
    copy = own ? Py_NewRef(event) : PyDict_Copy(event);
    if (meta == NULL || copy == NULL || PyDict_SetItem(copy, names[META], meta) < 0) {
        goto done;
    }
    message = conform_copy(self, copy, meta, schema, stream, event_time, bound, judged);
done:
    Py_XDECREF(uri);
    Py_XDECREF(meta);
    Py_XDECREF(schema);
    Py_XDECREF(stream);
    Py_XDECREF(copy);
    return message;
}

static PyObject *
conform(PyObject *object, PyObject *const *arguments, Py_ssize_t count)
{
    if (count != 4) {
        PyErr_SetString(PyExc_TypeError, "conform takes event, event_time, bound and own");
        return NULL;
    }
    int judged = 0;
    PyObject *message = conformed(
        (WarmPath *)object, arguments[0], arguments[1], arguments[2], arguments[3] == Py_True, &judged);
    if (message != NULL) {
        return message;
    }
    /* What else is raised is no judgement on the event: by a signal handler, say. */
    if (PyErr_Occurred() && !PyErr_ExceptionMatches(((WarmPath *)object)->parts[JUDGEMENTS])) {
        return NULL;
    }
    PyErr_Clear();
    return Py_NewRef(judged ? Py_False : Py_None);
}

static PyObject *
make(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    static char *takes[] = {"schemas", "streams", "message", "dumps", "option", "instants", "ids", "new_id",
                            "isoformat", "parse", "merge", "instant_at", "judgements", "most_bytes",
                            "most_ahead", NULL};
    PyObject *parts[PARTS];
    Py_ssize_t most_bytes;
    long long most_ahead;
    if (!PyArg_ParseTupleAndKeywords(
            arguments, keywords, "O!OO!OOOO!OOOOOO!nL:WarmPath", takes, &PyDict_Type, &parts[SCHEMAS],
            &parts[STREAMS], &PyType_Type, &parts[MESSAGE], &parts[DUMPS], &parts[OPTION], &parts[INSTANTS],
            &PyList_Type, &parts[IDS], &parts[NEW_ID], &parts[ISOFORMAT], &parts[PARSE], &parts[MERGE],
            &parts[INSTANT_AT], &PyTuple_Type, &parts[JUDGEMENTS], &most_bytes, &most_ahead)) {
        return NULL;
    }
    if (!PyType_IsSubtype((PyTypeObject *)parts[MESSAGE], &PyTuple_Type)) {
        PyErr_SetString(PyExc_TypeError, "message must be a NamedTuple");
        return NULL;
    }
    WarmPath *self = (WarmPath *)holding(type, parts);
    if (self == NULL) {
        return NULL;
    }
    self->most_bytes = most_bytes;
    self->most_ahead = most_ahead;
    self->second = -1;
    return (PyObject *)self;
}

/* The items of a dict whose names are wanted; None where it is not known of each name whether it is. */
static PyObject *
selected(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t count)
{
    if (count != 2 || !PyDict_Check(arguments[0]) || !PyDict_Check(arguments[1])) {
        PyErr_SetString(PyExc_TypeError, "selected takes two dicts");
        return NULL;
    }
    PyObject *result = PyDict_New(), *name, *value;
    Py_ssize_t place = 0;
    while (result != NULL && PyDict_Next(arguments[0], &place, &name, &value)) {
        PyObject *is_wanted = PyUnicode_CheckExact(name) ? PyDict_GetItemWithError(arguments[1], name) : NULL;
        if (is_wanted == NULL || (is_wanted == Py_True && PyDict_SetItem(result, name, value) < 0)) {
            Py_CLEAR(result);
        }
    }
    if (result == NULL && !PyErr_Occurred()) {
        Py_RETURN_NONE;
    }
    return result;
}

static PyMethodDef methods[] = {
    {"conform", (PyCFunction)(void (*)(void))conform, METH_FASTCALL,
     "conform(event, event_time, bound, own, /)\n--\n\nThe event's message; False where it was not vouched for, None where it was not judged."},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject warm_path = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "eplogging.conformance._warm.WarmPath",
    .tp_doc = "Makes messages of events that need no look-up and have no fault.",
    .tp_basicsize = sizeof(WarmPath),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_new = make,
    .tp_traverse = traverse,
    .tp_clear = clear,
    .tp_dealloc = dealloc,
    .tp_methods = methods,
};

static PyMethodDef functions[] = {
    {"selected", (PyCFunction)(void (*)(void))selected, METH_FASTCALL,
     "selected(items, wanted, /)\n--\n\nThe items of a dict whose names are wanted, or None."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "eplogging.conformance._warm",
    .m_doc = "The warm path of `Conformer.conform`, in C.",
    .m_size = -1,
    .m_methods = functions,
};

PyMODINIT_FUNC
PyInit__warm(void)
{
    return intern_names() < 0 ? NULL : module_with(&module, &warm_path, "WarmPath");
}
