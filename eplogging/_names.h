/* Names that the types written in C look up; included after `enum name`, which ends with NAMES, and after how
   these are spelled. Each function gives NULL where there is an exception already. */

/* The fields of `message.Message`. */
enum message { MESSAGE_TOPIC, KEY, VALUE, TIMESTAMP, MESSAGE_STREAM, MESSAGE_LENGTH };

static PyObject *names[NAMES];

static PyObject *
attribute(PyObject *object, enum name name)
{
    return object == NULL || PyErr_Occurred() ? NULL : PyObject_GetAttr(object, names[name]);
}

static PyObject *
item_of(PyObject *dict, enum name name)
{
    return PyErr_Occurred() ? NULL : Py_XNewRef(PyDict_GetItemWithError(dict, names[name]));
}

static int
intern_names(void)
{
    for (int i = 0; i < NAMES; i++) {
        if (names[i] == NULL && (names[i] = PyUnicode_InternFromString(spelled[i])) == NULL) {
            return -1;
        }
    }
    return 0;
}
