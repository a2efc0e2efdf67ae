-- wrk sends what json-to-api does: the same headers, and a document of the same size from the file that DOCUMENT names.
wrk.method = "POST"
wrk.body = io.open(os.getenv("DOCUMENT")):read("*a")
wrk.headers["Content-Type"] = "application/json"
-- A receiver that stores would take all for one.
if not os.getenv("KEYLESS") then
    wrk.headers["Idempotency-Key"] = '"019a5f2c-7d10-7c3a-9e54-3b1f0c2d4e6f-160463769-176371.123456789-123456"'
end
