/* Preloaded into a process, counts what it takes from malloc: an account of
   memory that neither memrev nor PyTorch keeps. */

#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stddef.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *pointer);

static atomic_long live, peak, large;

static void *taken(void *pointer) {
  if (!pointer)
    return pointer;
  long bytes = (long)malloc_usable_size(pointer);
  long now = atomic_fetch_add(&live, bytes) + bytes;
  long before = atomic_load(&peak);
  while (now > before && !atomic_compare_exchange_weak(&peak, &before, now)) {
  }
  if (bytes >= 4096)
    atomic_fetch_add(&large, 1);
  return pointer;
}

static void given(void *pointer) {
  if (pointer)
    atomic_fetch_sub(&live, (long)malloc_usable_size(pointer));
}

void *malloc(size_t size) { return taken(__libc_malloc(size)); }

void *calloc(size_t count, size_t size) {
  return taken(__libc_calloc(count, size));
}

void *realloc(void *old, size_t size) {
  given(old);
  return taken(__libc_realloc(old, size));
}

void *memalign(size_t alignment, size_t size) {
  return taken(__libc_memalign(alignment, size));
}

void *aligned_alloc(size_t alignment, size_t size) {
  return memalign(alignment, size);
}

int posix_memalign(void **result, size_t alignment, size_t size) {
  *result = memalign(alignment, size);
  return *result ? 0 : ENOMEM;
}

void free(void *pointer) {
  given(pointer);
  __libc_free(pointer);
}

/* Starts a measurement: the peak is what is live now. */
void malloc_counter_start(void) {
  atomic_store(&peak, atomic_load(&live));
  atomic_store(&large, 0);
}

long malloc_counter_live(void) { return atomic_load(&live); }
long malloc_counter_peak(void) { return atomic_load(&peak); }
/* Allocations of 4 KiB and more since the start. */
long malloc_counter_large(void) { return atomic_load(&large); }
