/* A part of `_warm.c`: the fields that are set where an event has none of its own, as `fields.fill` sets them. */

/* See `instants.now`; 0, with an exception, where the clock fails. It is looked up anew, as in Python. */
static long long
now_in_milliseconds(WarmPath *self)
{
    PyObject *clock = attribute(self->parts[INSTANTS], CLOCK);
    PyObject *seconds = clock == NULL ? NULL : PyObject_CallNoArgs(clock);
    double now = seconds == NULL ? 0 : PyFloat_AsDouble(seconds);
    Py_XDECREF(clock);
    Py_XDECREF(seconds);
    return PyErr_Occurred() ? 0 : (long long)(now * 1000);
}

/* See `instants.isoformat`, which is asked once in a second. */
static PyObject *
isoformat(WarmPath *self, long long instant)
{
    if (instant >= 0 && instant / 1000 == self->second) {
        PyObject *text = PyUnicode_New(TEXT_LENGTH, 127);
        if (text != NULL) {
            char *out = (char *)PyUnicode_1BYTE_DATA(text);
            int rest = (int)(instant % 1000);
            memcpy(out, self->text, SECOND_LENGTH);
            out += SECOND_LENGTH;
            *out++ = '.';
            *out++ = (char)('0' + rest / 100);
            *out++ = (char)('0' + rest / 10 % 10);
            *out++ = (char)('0' + rest % 10);
            *out = 'Z';
        }
        return text;
    }
    PyObject *number = PyLong_FromLongLong(instant);
    PyObject *text = number == NULL ? NULL : PyObject_CallOneArg(self->parts[ISOFORMAT], number);
    Py_XDECREF(number);
    if (text != NULL && instant >= 0 && PyUnicode_IS_COMPACT_ASCII(text)
        && PyUnicode_GET_LENGTH(text) == TEXT_LENGTH) {
        memcpy(self->text, PyUnicode_1BYTE_DATA(text), SECOND_LENGTH);
        self->second = instant / 1000;
    }
    return text;
}

static int
set_instant(WarmPath *self, PyObject *dict, long long instant)
{
    PyObject *text = isoformat(self, instant);
    int failed = text == NULL || PyDict_SetItem(dict, names[DT], text) < 0;
    Py_XDECREF(text);
    return failed ? -1 : 0;
}

/* The instant of a `dt` that the event has, if it is a text that names one. */
static int
given_instant(WarmPath *self, PyObject *text, long long *instant)
{
    PyObject *parsed = PyUnicode_CheckExact(text) ? PyObject_CallOneArg(self->parts[PARSE], text) : NULL;
    if (parsed == NULL) {
        return -1;
    }
    *instant = PyLong_AsLongLong(parsed);
    Py_DECREF(parsed);
    return PyErr_Occurred() ? -1 : 0;
}

/* When the event happened: a number of seconds that `instants.to_milliseconds` takes, or now. */
static int
event_instant(PyObject *event_time, long long now, long long *instant)
{
    if (event_time == Py_None) {
        *instant = now;
        return 0;
    }
    if (!PyFloat_CheckExact(event_time)) {
        return -1;
    }
    double seconds = PyFloat_AS_DOUBLE(event_time);
    if (!(seconds >= 0 && seconds <= 253402300799.0)) {
        return -1;
    }
    *instant = (long long)(seconds * 1000);
    return 0;
}

static PyObject *
new_id(WarmPath *self)
{
    PyObject *ids = self->parts[IDS];
    Py_ssize_t last = PyList_GET_SIZE(ids) - 1;
    if (last < 0) {
        return PyObject_CallNoArgs(self->parts[NEW_ID]);
    }
    PyObject *id = Py_NewRef(PyList_GET_ITEM(ids, last));
    if (PyList_SetSlice(ids, last, last + 1, NULL) < 0) {
        Py_CLEAR(id);
    }
    return id;
}

static int
set_id(WarmPath *self, PyObject *meta)
{
    PyObject *id = new_id(self);
    int failed = id == NULL || PyDict_SetItem(meta, names[ID], id) < 0;
    Py_XDECREF(id);
    return failed ? -1 : 0;
}

/* See `fields.fill`; `event` and `meta` are copies. */
static int
fill(WarmPath *self, PyObject *event, PyObject *meta, PyObject *rules, PyObject *event_time, long long now,
     long long *meta_dt)
{
    int has_id = PyDict_Contains(meta, names[ID]);
    if (has_id < 0 || (!has_id && FIELD(rules, MAY_META_ID) == Py_True && set_id(self, meta) < 0)) {
        return -1;
    }
    PyObject *given = item_of(meta, DT);
    if (given != NULL) {
        int failed = given_instant(self, given, meta_dt);
        Py_DECREF(given);
        if (failed < 0) {
            return -1;
        }
    }
    else if (PyErr_Occurred()) {
        return -1;
    }
    else if (FIELD(rules, MAY_META_DT) == Py_True) {
        if (set_instant(self, meta, now) < 0) {
            return -1;
        }
        *meta_dt = now;
    }
    long long happened;
    given = item_of(event, DT);
    if (given != NULL) {
        int failed = given_instant(self, given, &happened);
        Py_DECREF(given);
        return failed;
    }
    if (PyErr_Occurred()) {
        return -1;
    }
    if (FIELD(rules, MAY_DT) != Py_True) {
        return 0;
    }
    if (event_instant(event_time, now, &happened) < 0) {
        return -1;
    }
    return set_instant(self, event, happened);
}

static int
merge_bound(WarmPath *self, PyObject *event, PyObject *bound, PyObject *rules)
{
    int any = bound == Py_None ? 0 : PyObject_IsTrue(bound);
    if (any <= 0) {
        return any;
    }
    PyObject *path = PyTuple_New(0), *done = NULL;
    if (path != NULL) {
        done = PyObject_CallFunctionObjArgs(
            self->parts[MERGE], event, bound, path, FIELD(rules, DECLARES), NULL);
    }
    Py_XDECREF(path);
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}
