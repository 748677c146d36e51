/* A program over hiredis as users write them: formatted commands, binary arguments, pipelines,
 * transactions, errors, reconnection. Usage: syntropy_hiredis_client <port>. Exit code 0 when every
 * reply was the expected one; the first that wasn't is printed. */
#include <hiredis/hiredis.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                        \
  do {                                                                          \
    if (!(condition)) {                                                         \
      fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);   \
      exit(1);                                                                  \
    }                                                                           \
  } while (0)

static redisContext *connect_to(int port) {
  struct timeval timeout = {30, 0};
  redisContext *context = redisConnectWithTimeout("127.0.0.1", port, timeout);
  CHECK(context != NULL && context->err == 0);
  CHECK(redisSetTimeout(context, timeout) == REDIS_OK);
  return context;
}

/* The caller frees the reply. */
static redisReply *call(redisContext *context, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  redisReply *reply = redisvCommand(context, format, arguments);
  va_end(arguments);
  if (reply == NULL) fprintf(stderr, "%s: %s\n", format, context->errstr);
  CHECK(reply != NULL);
  return reply;
}

static void expect_status(redisReply *reply, const char *text) {
  CHECK(reply->type == REDIS_REPLY_STATUS && strcmp(reply->str, text) == 0);
  freeReplyObject(reply);
}

static void expect_integer(redisReply *reply, long long value) {
  CHECK(reply->type == REDIS_REPLY_INTEGER && reply->integer == value);
  freeReplyObject(reply);
}

static void expect_string(redisReply *reply, const char *data, size_t size) {
  CHECK(reply->type == REDIS_REPLY_STRING && (size_t)reply->len == size);
  CHECK(memcmp(reply->str, data, size) == 0);
  freeReplyObject(reply);
}

static void expect_type(redisReply *reply, int type) {
  CHECK(reply->type == type);
  freeReplyObject(reply);
}

static void test_strings(redisContext *context) {
  const char binary[] = "\x00\xff\r\n$5\r\n";
  expect_status(call(context, "SET %s %b", "key", binary, sizeof binary), "OK");
  expect_string(call(context, "GET key"), binary, sizeof binary);
  expect_integer(call(context, "STRLEN key"), (long long)sizeof binary);
  expect_type(call(context, "GET missing"), REDIS_REPLY_NIL);
  expect_integer(call(context, "INCRBY counter %d", 40), 40);
  expect_integer(call(context, "INCR counter"), 41);
  expect_string(call(context, "INCRBYFLOAT counter 0.5"), "41.5", 4);
  expect_integer(call(context, "EXPIRE counter 1000"), 1);
  expect_integer(call(context, "PERSIST counter"), 1);
  expect_integer(call(context, "TTL counter"), -1);
  expect_type(call(context, "INCR key"), REDIS_REPLY_ERROR);
  expect_type(call(context, "NOSUCH"), REDIS_REPLY_ERROR);
  redisReply *many = call(context, "MGET key missing counter");
  CHECK(many->type == REDIS_REPLY_ARRAY && many->elements == 3);
  CHECK(many->element[1]->type == REDIS_REPLY_NIL);
  freeReplyObject(many);
}

static void test_large_value(redisContext *context) {
  const size_t size = 16 << 20;
  char *data = malloc(size);
  CHECK(data != NULL);
  for (size_t i = 0; i < size; ++i) data[i] = (char)(i * 2654435761u >> 13);
  expect_status(call(context, "SET large %b", data, size), "OK");
  expect_string(call(context, "GET large"), data, size);
  free(data);
}

static void test_pipeline(redisContext *context) {
  enum { kCommands = 50000 };
  for (int i = 0; i < kCommands; ++i) {
    CHECK(redisAppendCommand(context, "SET pipe:%d %d", i, i) == REDIS_OK);
    CHECK(redisAppendCommand(context, "GET pipe:%d", i) == REDIS_OK);
  }
  for (int i = 0; i < kCommands; ++i) {
    void *reply = NULL;
    CHECK(redisGetReply(context, &reply) == REDIS_OK);
    expect_status(reply, "OK");
    char text[16];
    int length = snprintf(text, sizeof text, "%d", i);
    CHECK(redisGetReply(context, &reply) == REDIS_OK);
    expect_string(reply, text, (size_t)length);
  }
}

static void test_transactions(redisContext *context, redisContext *other) {
  expect_status(call(context, "MULTI"), "OK");
  expect_status(call(context, "SET t 1"), "QUEUED");
  expect_status(call(context, "INCR t"), "QUEUED");
  redisReply *reply = call(context, "EXEC");
  CHECK(reply->type == REDIS_REPLY_ARRAY && reply->elements == 2);
  CHECK(reply->element[1]->type == REDIS_REPLY_INTEGER && reply->element[1]->integer == 2);
  freeReplyObject(reply);

  expect_status(call(context, "WATCH t"), "OK");
  expect_integer(call(other, "INCR t"), 3);
  expect_status(call(context, "MULTI"), "OK");
  expect_status(call(context, "SET t lost"), "QUEUED");
  expect_type(call(context, "EXEC"), REDIS_REPLY_NIL);
  expect_string(call(context, "GET t"), "3", 1);
}

static void test_scan(redisContext *context) {
  expect_status(call(context, "FLUSHALL"), "OK");
  enum { kKeys = 2000 };
  static unsigned char seen[kKeys];
  for (int i = 0; i < kKeys; ++i) expect_status(call(context, "SET scan:%d x", i), "OK");
  char cursor[32] = "0";
  int found = 0;
  do {
    redisReply *reply = call(context, "SCAN %s MATCH scan:* COUNT 37", cursor);
    CHECK(reply->type == REDIS_REPLY_ARRAY && reply->elements == 2);
    snprintf(cursor, sizeof cursor, "%s", reply->element[0]->str);
    for (size_t i = 0; i < reply->element[1]->elements; ++i) {
      int number = atoi(reply->element[1]->element[i]->str + strlen("scan:"));
      CHECK(number >= 0 && number < kKeys);
      found += seen[number] == 0;
      seen[number] = 1;
    }
    freeReplyObject(reply);
  } while (strcmp(cursor, "0") != 0);
  CHECK(found == kKeys);
}

static void test_reconnect(redisContext *context) {
  expect_status(call(context, "SET before reconnect"), "OK");
  expect_status(call(context, "QUIT"), "OK");
  redisReply *reply = redisCommand(context, "PING");
  CHECK(reply == NULL && context->err != 0);
  CHECK(redisReconnect(context) == REDIS_OK);
  expect_string(call(context, "GET before"), "reconnect", 9);
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  redisContext *context = connect_to(atoi(argv[1]));
  redisContext *other = connect_to(atoi(argv[1]));
  test_strings(context);
  test_large_value(context);
  test_pipeline(context);
  test_transactions(context, other);
  test_scan(context);
  test_reconnect(context);
  redisFree(other);
  redisFree(context);
  puts("hiredis: all replies as expected");
  return 0;
}
