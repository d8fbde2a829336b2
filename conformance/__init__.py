"""The kit that tells whether a storage module keeps the contract.

A vendor adopts it in a test file, which nosetests, pytest and unittest all run::

    import unittest
    from conformance.suite import Promises
    from newstore.newstore import NewStorage

    class NewStorageTest(Promises, unittest.TestCase):
        def make_module(self):
            return NewStorage(storage_dir=self.directory)

``vsm check newstore.newstore.NewStorage storage_dir=/srv/try`` asks the same of a class, and of the
storage that it really stands on. :mod:`conformance.suite` lists the promises,
:mod:`conformance.harness` what an adopter may override, :mod:`conformance.model` needs hypothesis,
and :mod:`conformance.saboteurs` are the broken modules that prove that the kit bites.
"""
