"""What the compression libraries take by themselves, in this process and into memory: no start, no file, no checks."""
import ctypes
import ctypes.util
import time
import zlib


def _load(name):
    return ctypes.CDLL(ctypes.util.find_library(name))


def _zstd(data, size):
    library = _load("zstd")
    library.ZSTD_decompress.restype = ctypes.c_size_t
    target = ctypes.create_string_buffer(size)

    def once():
        return library.ZSTD_decompress(target, ctypes.c_size_t(size), data, ctypes.c_size_t(len(data)))
    return once


def _lz4(data, size):
    library = _load("lz4")
    library.LZ4F_decompress.restype = ctypes.c_size_t
    target = ctypes.create_string_buffer(size)

    def once():
        context = ctypes.c_void_p()
        library.LZ4F_createDecompressionContext(ctypes.byref(context), 100)
        done = used = 0
        while True:
            out, taken = ctypes.c_size_t(size - done), ctypes.c_size_t(len(data) - used)
            hint = library.LZ4F_decompress(context, ctypes.byref(target, done), ctypes.byref(out),
                                           data[used:] if used else data, ctypes.byref(taken), None)
            done, used = done + out.value, used + taken.value
            if hint == 0 or out.value == taken.value == 0:
                break
        library.LZ4F_freeDecompressionContext(context)
        return done
    return once


def _gzip(data, size):
    return lambda: len(zlib.decompress(data, wbits=31, bufsize=size))


DECOMPRESS = {"zst": _zstd, "lz4": _lz4, "gz": _gzip}


def milliseconds(suffix, data, size):
    """The quickest of three, so that pages of memory are there."""
    once = DECOMPRESS[suffix](data, size)
    best = None
    for _ in range(3):
        begin = time.monotonic()
        done = once()
        spent = (time.monotonic() - begin) * 1000
        if done != size:
            raise SystemExit(f"{suffix}: {done} of {size} bytes")
        best = spent if best is None else min(best, spent)
    return best
