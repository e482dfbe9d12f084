/*
 * test/unit/token/keys.h - public keys whose ids are known: the example of
 * distribution's spec/auth/jwt.md, RFC 7638 3.1, RFC 8037 A.2; a key whose x
 * begins with a zero byte (P-256, d = 379), and P-384 with the same d.
 */
#pragma once

#define SPEC_P256                                                              \
	"-----BEGIN PUBLIC KEY-----\n"                                         \
	"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEm7zUpx3b+zmVE5cymSs64POG9Qcy\n"   \
	"EpJaYCD82+549/R1TduLPyxn/wY8H6h2bxbHPeU0OvXFwBBA9Bo5yvV+Zw==\n"       \
	"-----END PUBLIC KEY-----\n"

#define COMPRESSED_P256                                                        \
	"-----BEGIN PUBLIC KEY-----\n"                                         \
	"MDkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDIgADm7zUpx3b+zmVE5cymSs64POG9Qcy\n"   \
	"EpJaYCD82+549/Q=\n"                                                   \
	"-----END PUBLIC KEY-----\n"

#define EXPLICIT_P256                                                          \
	"-----BEGIN PUBLIC KEY-----\n"                                         \
	"MIIBSzCCAQMGByqGSM49AgEwgfcCAQEwLAYHKoZIzj0BAQIhAP////8AAAABAAAA\n"   \
	"AAAAAAAAAAAA////////////////MFsEIP////8AAAABAAAAAAAAAAAAAAAA////\n"   \
	"///////////8BCBaxjXYqjqT57PrvVV2mIa8ZR0GsMxTsPY7zjw+J9JgSwMVAMSd\n"   \
	"NgiG5wSTamZ44ROdJreBn36QBEEEaxfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5\n"   \
	"RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9QIhAP////8AAAAA\n"   \
	"//////////+85vqtpxeehPO5ysL8YyVRAgEBA0IABJu81Kcd2/s5lROXMpkrOuDz\n"   \
	"hvUHMhKSWmAg/NvuePf0dU3biz8sZ/8GPB+odm8Wxz3lNDr1xcAQQPQaOcr1fmc=\n"   \
	"-----END PUBLIC KEY-----\n"

#define RFC7638_RSA                                                            \
	"-----BEGIN PUBLIC KEY-----\n"                                         \
	"MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA0vx7agoebGcQSuuPiLJX\n"   \
	"ZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tS\n"   \
	"oc/BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ/2W+5JsGY4Hc5n9yBXArwl93lqt\n"   \
	"7/RN5w6Cf0h4QyQ5v+65YGjQR0/FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0\n"   \
	"zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt+bFTWhAI4vMQFh6WeZu0f\n"   \
	"M4lFd2NcRwr3XPksINHaQ+G/xBniIqbw0Ls1jF44+csFCur+kEgU8awapJzKnqDK\n"   \
	"gwIDAQAB\n"                                                           \
	"-----END PUBLIC KEY-----\n"

#define LEADING_ZERO_P256                                                      \
	"-----BEGIN PUBLIC KEY-----\n"                                         \
	"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEAFVDiUrz0A7X10Cr29dclrBod7eH\n"   \
	"219w7qeLkKjXwAq7TIWj2Oop76r6JEBpEt2E1bFNwyv2Vu9sa9WKXZQ/kg==\n"       \
	"-----END PUBLIC KEY-----\n"

#define RFC8037_ED25519                                                        \
	"-----BEGIN PUBLIC KEY-----\n"                                         \
	"MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"       \
	"-----END PUBLIC KEY-----\n"

#define P384                                                                   \
	"-----BEGIN PUBLIC KEY-----\n"                                         \
	"MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE9zCP6OAncSHUoQjytRmgaG5M22l/mo2H\n"   \
	"s0DzHEdvU5uOz4mge/HAkZmH4/fHWms10KEIQP2VtqWF4l/3S8HVRMABXNt4ISZ3\n"   \
	"4pCl5vNTkcK5tB6DknC6T5RD82OyaZR5\n"                                   \
	"-----END PUBLIC KEY-----\n"
