"""The image: layers, documents, and the forms it is delivered in (OCI image-spec 1.1)."""
