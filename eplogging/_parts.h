/* What the types written in C are made of; included after `enum part`, which ends with PARTS. Each begins with a
   `Holder`. */

typedef struct {
    PyObject_HEAD
    PyObject *parts[PARTS];
} Holder;

static int
traverse(PyObject *object, visitproc visit, void *arg)
{
    for (int i = 0; i < PARTS; i++) {
        Py_VISIT(((Holder *)object)->parts[i]);
    }
    return 0;
}

static int
clear(PyObject *object)
{
    for (int i = 0; i < PARTS; i++) {
        Py_CLEAR(((Holder *)object)->parts[i]);
    }
    return 0;
}

static void
dealloc(PyObject *object)
{
    PyObject_GC_UnTrack(object);
    clear(object);
    Py_TYPE(object)->tp_free(object);
}

static PyObject *
holding(PyTypeObject *type, PyObject *const *parts)
{
    Holder *made = (Holder *)type->tp_alloc(type, 0);
    for (int i = 0; made != NULL && i < PARTS; i++) {
        made->parts[i] = Py_NewRef(parts[i]);
    }
    return (PyObject *)made;
}

/* A module with one type in it. */
static PyObject *
module_with(PyModuleDef *module, PyTypeObject *type, const char *type_name)
{
    PyObject *made = PyType_Ready(type) < 0 ? NULL : PyModule_Create(module);
    if (made != NULL && PyModule_AddObjectRef(made, type_name, (PyObject *)type) < 0) {
        Py_CLEAR(made);
    }
    return made;
}
