"""The words beside which a name is that of a company, in folded form.

Knows lists only. Points and places are `context`'s.
"""

from __future__ import annotations

import re


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


LEGAL = _set("inc incorporated corp corporation co company companies plc ltd limited llc ag se sa nv spa oyj group")
NOUNS = _set(
    """
    share shares stock stocks earnings revenue revenues sales profit profits results guidance outlook quarter quarterly
    dividend dividends ceo cfo coo cto chief executive executives chairman chairwoman chair boss founder cofounder
    president investor investors shareholder shareholders analyst analysts board employee employees staff worker workers
    unit subsidiary spokesman spokeswoman spokesperson valuation buyback ipo bond bonds debt options calls puts holders
    margin margins deal store stores customers q1 q2 q3 q4 eps shareholding stake management
    pilots drivers union unions flight flights plant plants factory deliveries passengers subscribers bookings rival
    spokespeople lawyers engineers unveiling settlement lawsuit recall layoffs buyout
    """
)
VERBS = _set(
    """
    said says reported reports posts posted announced announces plans planned agrees agreed beats beat misses missed
    rises rose falls fell jumps jumped slumps slumped surges surged soars soared drops dropped gains gained slides slid
    tumbles tumbled plunges plunged climbs climbed sinks sank rallies rallied rally unveils unveiled launches launched
    cuts cut raises raised sues sued faces faced hires hired appoints appointed names named acquires acquired buys
    bought sells sold completes completed wins won loses lost expects expected forecasts warns warned recalls recalled
    closes closed opens opened slashes slashed halts halted resumes resumed invests invested joins joined files filed
    pays paid settles settled adds added doubles tops topped trades traded trading downgraded upgraded upgrade downgrade
    pops popped dips dipped delays delayed tells told lays laid leads led lags lagged shuts shut urges urged signs
    signed seeks sought mulls weighs eyes bets ships shipped delivers delivered suspends suspended taps tapped initiated
    rejects rejected teams promotes promoted partners partnered expands expanded increases increased decreases reduces
    reduced introduces introduced reveals revealed rolls rolled offers offered builds built makes made gives takes took
    loses gets got goes hits hit pulls pulled puts sets keeps turns turned sees saw wants backs considers approves
    lowers lowered lifts lifted hikes hiked trims trimmed follows followed swings swung boosts boosted nears hints
    projects projected scraps scrapped drops blames blamed defends defended hails replaces replaced restores restored
    reiterated outperforms underperforms extends extended acknowledges acknowledged confirms confirmed denies denied
    """
)
AUXILIARIES = _set("is was are were has had have will would could may might should to can did does")
PLACES = _set(
    """
    china india japan europe asia america canada mexico brazil germany france uk us usa australia singapore korea and or
    in on at for with as after amid by of from but while that who which where when if than over its the
    """
)
DETERMINERS = _set("a an the this that these those my your his her our their its no any each every some one")
BEFORE_NAMES = _set(
    """
    the a an and or but if as at by for from in of on to with after before since while when where why how what who that
    meanwhile however today yesterday also both like amid despite although though because so then now still even yet
    monday tuesday wednesday thursday friday saturday sunday january february march april may june july august september
    october november december us uk eu american british chinese european japanese german french us-based tech giant
    retailer ceo cfo analyst analysts breaking update rt why did does is are was will can should i he she we they
    shares stock watch via says said news exclusive report reports buy sell long short hold
    """
)

ROLES = re.compile(
    r"(?<![a-z])(?:shares?|stock|stocks|stake|units?|ceo|cfo|chief executive|chairman|founder|owner|parent|makers?|"
    r"analysts?|investors|shareholders|employees|workers|rivals?|competitors?|peers?|deal|contract|partnership|lawsuit|"
    r"suit|probe|investigation|acquisition|takeover|merger|bid|companies|stocks|names|retailers|giants|firms|jobs|"
    r"sales|revenue|earnings|profits?|ahead) "
    r"(?:of|in|at|by|with|against|into|for|from|like|as|including|such as) +$"
)
KINDS = re.compile(
    r"(?<![a-z])(?:giant|retailer|maker|automaker|carmaker|chipmaker|company|firm|chain|group|parent|rival|startup|"
    r"lender|insurer|operator|manufacturer|brand|major|titan|conglomerate|developer|vendor|supplier|airline|drugmaker|"
    r"brokerage|subsidiary|competitor|including|versus|vs\.?|like|such as) +$"
)
DEEDS = re.compile(
    r"(?<![a-z])(?:buy|buys|bought|buying|sell|sells|sold|selling|acquires?|acquired|acquiring|sues?|sued|suing|"
    r"upgrades?|upgraded|downgrades?|downgraded|owns?|owned|holds?|holding|shorts?|shorting|long|invest in|invests in|"
    r"invested in|bets? on|bullish on|bearish on|overweight on|coverage of|coverage on|rating on|joins?|joined|leaves|"
    r"left|works? at|worked at|fines?|fined|accuses?|accused|by|at|from|against) +$"
)

ZH_AFTER = re.compile(
    r"公司|集团|股份|股价|股票|控股|股东|股权|财报|业绩|营收|净利|市值|ceo|cfo|董事|董秘|高管|副?总裁|总经理|创始人|掌门|发布|"
    r"宣布|公告|回应|起诉|遭|被(?:罚|调查|起诉|约谈|查|指|曝|立案)|(?:大|暴|收|领|下|上|急|普)?[涨跌]|概念|产业链|供应商|供应链|"
    r"员工|裁员|季度|首席|方面(?:表示|称|回应)|表示|称|否认|澄清|系(?:公司|基金)|汽车|手机|科技|电器|生态|评级|目标价|旗下|"
    r"短线|盘[前中后初尾]|早盘|午后|开盘|收盘|[高低]开|拉升|走[强弱高低]|下挫|重挫|现报|拟|推出|减持|增持|收购|入股|投资|"
    r"[和与]?[^,。]{0,6}诉讼|专利|门店|案|订单|云(?![南雾])|年报|季报|中报|半年报|财产险|财险|人寿|研报|宏观|分析师|经济学家"
)
ZH_SPEAKS = re.compile(r"[:：]\s?(?!\d)")
ZH_BEFORE = re.compile(
    r"(?:巨头|公司|旗下|厂商|车企|房企|券商|险企|平台|龙头|品牌|对手|收购|并购|起诉|状告|增持|减持|持有|买入|卖出|看好|看空|"
    r"投资|入股|供货|处罚|约谈|调查|加入|入职|离开|合作方|客户|股东|代表的?|像|包括|如|比如|例如|[上下]调|调[降高]|维持|给予|"
    r"首予|推荐|关注|领[涨跌]|加仓|建仓|追投|超越|超过|对标|供应|前)$"
)
ZH_FINANCE = re.compile(
    r"股|[涨跌]|营收|净利|利润|市值|财报|亿元|亿美元|万元|投资者|分析师|同比|环比|季度|上市|评级|目标价|融资|债券|资本|机构|订单|合同|供货|中标|签约|交付|销量"
)
