# Conversations that templates find hard: tool calls in every form, parts, missing and empty contents, reasoning, unusual roles, variables of known templates.
# python3 conversations.py > CONVERSATIONS.json, in the format of shared/goldens/templates/conversations.json
import json
import sys
C={}
def add(n, m, tools=None, agp=True, **kw): C[n]={"messages":m,"add_generation_prompt":agp,**({"tools":tools} if tools is not None else {}),**({"kwargs":kw} if kw else {})}
u=lambda c,**k:{"role":"user","content":c,**k}
a=lambda c,**k:{"role":"assistant","content":c,**k}
s=lambda c,**k:{"role":"system","content":c,**k}
fn=lambda n,args,i=None,**k:{**({"id":i} if i else {}),"type":"function","function":{"name":n,"arguments":args},**k}
T1=[{"type":"function","function":{"name":"get_weather","description":"Weather at <a> & 'b' \"c\"\nline two é 你","parameters":{"type":"object","properties":{"city":{"type":"string","description":"City's name","enum":["Köln","Aix"]},"days":{"type":"integer","minimum":1,"maximum":1e3,"default":3},"opts":{"type":"object","properties":{"unit":{"type":["string","null"]},"tags":{"type":"array","items":{"type":"string"}}},"additionalProperties":False}},"required":["city"]},"return":{"type":"string"}}},
 {"type":"function","function":{"name":"noargs","description":"","parameters":{"type":"object","properties":{}}}},
 {"type":"function","function":{"name":"ref","description":"x","parameters":{"$defs":{"A":{"type":"number"}},"type":"object","properties":{"v":{"$ref":"#/$defs/A"},"w":{"anyOf":[{"type":"number"},{"type":"null"}],"default":None},"z":{"type":"array","items":{"type":"array","items":{"type":"number","exclusiveMinimum":-0.5}}}},"required":["v","w"]}}}]
args={"city":"Köln \"q\" \\ \n\t","days":2,"f":1.0,"g":1e-7,"h":123456789012345678901234567890,"b":True,"n":None,"l":[1,[2.5,{"x":"</tool_call>"}],[]],"o":{},"e":""}
add("none_content",[u("Hi"),a(None,tool_calls=[fn("get_weather",args,"call_000000001")]),{"role":"tool","tool_call_id":"call_000000001","name":"get_weather","content":"{\"t\": 1.50}"}],T1)
add("no_content_key",[u("Hi"),{"role":"assistant","tool_calls":[fn("get_weather",args,"123456789"),fn("noargs",{},"abcdefghi")]},{"role":"tool","tool_call_id":"123456789","content":"ok"},{"role":"tool","tool_call_id":"abcdefghi","content":"0"},a("Done."),u("More")],T1)
add("content_and_call",[s("Sys"),u("Hi"),a("Let me see. ",tool_calls=[fn("ref",{"v":0.1,"w":None},"abcdefghi")]),{"role":"tool","tool_call_id":"abcdefghi","name":"ref","content":"[1, 2]"}],T1)
add("reasoning_turns",[u("1"),a("A",reasoning_content="think 1\n\n"),u("2"),a("<think>\nx\n</think>\n\nB"),u("3"),a("C",reasoning="r",thinking="t"),u("4")])
add("reasoning_tools",[u("1"),a("",reasoning_content="why",tool_calls=[fn("noargs",{},"abcdefghi")]),{"role":"tool","tool_call_id":"abcdefghi","content":"r1"},a("",reasoning_content="again",tool_calls=[fn("noargs",{},"abcdefghj")]),{"role":"tool","tool_call_id":"abcdefghj","content":"r2"}],T1,enable_thinking=True)
add("parts_text",[s([{"type":"text","text":"S1"},{"type":"text","text":"S2"}]),u([{"type":"text","text":"one "},{"type":"text","text":"two"}]),a([{"type":"text","text":"three"}]),u("x")])
add("parts_image",[u([{"type":"image"},{"type":"text","text":"What?"},{"type":"image_url","image_url":{"url":"http://x/y.png"}}])])
add("parts_av",[u([{"type":"audio","audio_url":"a"},{"type":"video","video":"v"},{"type":"text","text":"Hm"}])])
add("tool_parts",[u("q"),a("",tool_calls=[fn("noargs",{},"abcdefghi")]),{"role":"tool","tool_call_id":"abcdefghi","content":[{"type":"text","text":"part1"},{"type":"text","text":"part2"}]}],T1)
add("args_string",[u("q"),a("",tool_calls=[fn("get_weather",json.dumps(args,ensure_ascii=False),"abcdefghi")]),{"role":"tool","tool_call_id":"abcdefghi","content":"x"}],T1)
add("developer",[{"role":"developer","content":"Dev"},u("q")])
add("sys_dev",[s("Sys"),{"role":"developer","content":"Dev"},u("q")],T1)
add("two_systems",[s("A"),s("B"),u("q")])
add("system_mid",[u("q"),a("r"),s("now"),u("t")])
add("only_system",[s("A")])
add("only_assistant",[a("A")],agp=False)
add("trailing_assistant",[u("q"),a("prefill ")],agp=False)
add("empties",[s(""),u(""),a(""),u(" ")])
add("ws",[s("  S \n"),u("\n q \t"),a(" r\n\n"),u(" z ")])
for k,v in {"enable_thinking":False,"thinking":True,"reasoning_effort":"high","thinking_budget":512,"date_string":"01 Jan 2030","builtin_tools":["web","code_interpreter"],"custom_tools":T1,"tools_in_user_message":False,"clear_thinking":False,"add_vision_id":True,"model_identity":"You are X.","preserve_thinking":True,"keep_all_reasoning":True,"language":"de","low_effort":True,"guidelines":"G","xml_tools":["a"],"python_tools":["b"],"truncate_history_thinking":False,"controls":{"length":"long","thinking":True},"available_tools":T1,"functions":T1,"enable_citations":True,"citation_mode":"fast","force_nonempty_content":True,"drop_thinking":False,"today":"x"}.items():
    add("kw_"+k,[s("S"),u("q"),a("<think>a</think>r",reasoning_content="rc"),u("t")],T1 if k in("tools_in_user_message","builtin_tools","enable_thinking","thinking") else None,**{k:v})
add("long",[x for i in range(12) for x in (u(f"q{i}"),a(f"r{i}",tool_calls=[]))]+[u("end")])
add("content_dict",[u({"a":1})])
add("content_int",[u(5),a(1.5),u(True)])
add("unknown_role",[u("q"),{"role":"critic","content":"c"}])
add("ipython",[u("q"),a("",tool_calls=[fn("noargs",{})]),{"role":"ipython","content":{"a":[1.0,True,None,"é"]}}],T1)
add("tool_dict",[u("q"),a("",tool_calls=[fn("noargs",{},"abcdefghi")]),{"role":"tool","tool_call_id":"abcdefghi","name":"noargs","content":{"a":[1.0,1e22,-0.0,True,None,"é\u2028<>&'"]}}],T1)
add("empty_tools",[u("q")],[])
add("flat_tools",[u("q")],[T1[0]["function"]])
json.dump({"special_tokens":{"bos_token":"<s>","eos_token":"</s>","pad_token":"<pad>","unk_token":"<unk>"},"conversations":C},sys.stdout,ensure_ascii=False)
