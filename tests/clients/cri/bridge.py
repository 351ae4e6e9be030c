"""CRI calls for a test: a line of JSON in (id, method, request, timeout), a line out (id, and reply
or error).

    bridge.py SOCKET    with api_pb2 and api_pb2_grpc on PYTHONPATH
"""

import json
import sys
import threading

import grpc
from google.protobuf import json_format

import api_pb2
import api_pb2_grpc

channel = grpc.insecure_channel("unix:" + sys.argv[1])
services = [api_pb2_grpc.RuntimeServiceStub(channel), api_pb2_grpc.ImageServiceStub(channel)]
lock = threading.Lock()


def serve(line):
    try:
        method = line["method"]
        call = next(getattr(s, method) for s in services if hasattr(s, method))
        request = json_format.ParseDict(line["request"], getattr(api_pb2, method + "Request")())
        reply = call(request, timeout=line["timeout"], wait_for_ready=True)
        text = {"reply": json_format.MessageToDict(reply, preserving_proto_field_name=True)}
    except grpc.RpcError as error:
        text = {"error": "%s: %s" % (error.code().name, error.details())}
    except Exception as error:
        text = {"error": repr(error)}
    text["id"] = line["id"]
    with lock:
        print(json.dumps(text), flush=True)


for text in sys.stdin:
    threading.Thread(target=serve, args=(json.loads(text),), daemon=True).start()
