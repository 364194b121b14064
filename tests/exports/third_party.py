"""What others make of an envelope, with their own packages and not a line of mlproj: run by a Python that has
`in-toto-attestation` and `securesystemslib`, as `third_party.py ENVELOPE PUBLIC_KEY`.

Prints what the statement says, as JSON. Ends with an exception where anything is not as it should be.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from cryptography.hazmat.primitives.serialization import load_pem_public_key
from google.protobuf.json_format import MessageToDict, ParseDict
from in_toto_attestation.predicates.provenance.v1.provenance_pb2 import Provenance
from in_toto_attestation.v1.statement import Statement
from in_toto_attestation.v1.statement_pb2 import Statement as StatementMessage
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey


def main(envelope_file: str, key_file: str) -> None:
    assert "mlproj" not in sys.modules
    envelope = Envelope.from_dict(json.loads(Path(envelope_file).read_bytes()))
    key = SSlibKey.from_crypto(load_pem_public_key(Path(key_file).read_bytes()))
    accepted = envelope.verify([key], threshold=1)
    told = {"keyids": list(accepted), "payload_type": envelope.payload_type}
    document = json.loads(envelope.payload)
    if envelope.payload_type == "application/vnd.in-toto+json":
        # Strict: a field that the schemas do not have is an error.
        statement = Statement.copy_from_pb(ParseDict(document, StatementMessage()))
        statement.validate()
        predicate = ParseDict(document["predicate"], Provenance())
        told["statement"] = MessageToDict(statement.pb)
        told["provenance"] = MessageToDict(predicate)
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
